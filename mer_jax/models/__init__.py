"""Networks by name: flax modules (image [B, H, W, C], or video [B, T, H, W, 1], train) -> (logits
[B, K], out).
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from mer_jax.entries import loaded
from mer_jax.errors import UserError
from mer_jax.settings.fields import Setting, Value

if TYPE_CHECKING:  # every class of NETWORKS, for editors and type checkers
    from mer_jax.models.alexnet import AlexNet as AlexNet
    from mer_jax.models.cnn3d import CNN3D as CNN3D
    from mer_jax.models.dual_branch import DualBranch as DualBranch
    from mer_jax.models.dual_branch import SingleBranch as SingleBranch
    from mer_jax.models.dual_inception import DualInception as DualInception
    from mer_jax.models.hybrid_cnn import HybridCNN as HybridCNN
    from mer_jax.models.microexpstcnn import MicroExpSTCNN as MicroExpSTCNN
    from mer_jax.models.ocnet import OCNet as OCNet
    from mer_jax.models.offapexnet import OffApexNet as OffApexNet
    from mer_jax.models.ststnet import STSTNet as STSTNet
    from mer_jax.models.vggm import VGGM as VGGM


class Network(NamedTuple):
    """A network: all that the program knows about it before it is built."""

    module: str  # 'module:class' of the flax module
    # keyword of the module -> what a user may give; in a config model.NETWORK.KEYWORD
    options: dict[str, Setting]
    # 'module:name' of {name of a PyTorch module: flax path}, to read weights files; '' for none
    torch_names: str = ''
    # a head for each region, and head(maps): what the contrastive learner and explain need
    regional: bool = False
    # what makes it small, for runs of seconds: options, and the largest image
    quick: dict[str, Value] = {}
    quick_size: int = 1024


def _dropout(default, reason='Of the last hidden layer.'):
    return Setting(default, reason, low=0, high=0.99)


def _width(default, reason):
    return Setting(default, reason, low=2, high=1024)


_BLOCKS = Setting(2, 'Of each layer; 2 is ResNet18.', low=1, high=2)
_BRANCH = {
    'width': _width(64, 'Channels of layer 1; 64 is ResNet18.'),
    'blocks': _BLOCKS,
    'attention': Setting(
        'released',
        'Of every block: as in the released code, as the paper says, as in SA-Net, or none.',
        choices=('released', 'paper', 'sanet', 'off'),
    ),
    'groups': Setting(4, 'Of the attention; twice as many divide width.', low=1, high=512),
    'pool': Setting(True, 'The max-pool of the stem; for small images False.'),
    'unstrided_layers': Setting(
        0, 'For small images: 1: layer 4 has no stride; 2: nor has layer 3.', low=0, high=2
    ),
    'dropout': _dropout(0.2, 'After layer 4.'),
    'dropout_dense': _dropout(0.3, 'Before the head.'),
    'dropout_contrast': _dropout(0.1, 'Of the features that are aligned.'),
    'dtype': Setting(
        'float32',
        'What layers compute in; parameters stay float32.',
        choices=('float32', 'bfloat16'),
    ),
    'remat': Setting(False, 'Less memory, and a third more time.'),
}
# with attention it compiles for a minute
_QUICK_BRANCH = {
    'width': 8,
    'blocks': 1,
    'pool': True,
    'unstrided_layers': 2,
    'attention': 'off',
}
NETWORKS = {
    'alexnet': Network(
        'mer_jax.models.alexnet:AlexNet',
        options={
            'dropout': _dropout(0.5, 'Of both hidden dense layers.'),
            'hidden': Setting(4096, 'Units of both hidden dense layers.', low=1, high=10**5),
        },
        torch_names='mer_jax.models.alexnet:TORCH_NAMES',
        quick={'hidden': 64},
        quick_size=63,  # the least it takes
    ),
    'cnn3d': Network(
        'mer_jax.models.cnn3d:CNN3D',
        options={
            'width': _width(64, 'Channels of the first convolutions; 64 is published.'),
            'arch': Setting(
                'default',
                'literal: one convolution, as the text of the paper says.',
                choices=('default', 'literal'),
            ),
            'head': Setting(
                'grid4',
                'Of the default: means over a grid of 4x4, over the whole, or every value.',
                choices=('grid4', 'gap', 'flatten'),
            ),
            'dropout': _dropout(0.25, 'Of the convolutions.'),
            'dropout_dense': _dropout(0.5),
        },
        torch_names='mer_jax.models.cnn3d:TORCH_NAMES',
        quick={'width': 8},
    ),
    'dual_branch': Network(
        'mer_jax.models.dual_branch:DualBranch',
        options={
            **_BRANCH,
            'hidden': Setting(1024, 'Hidden units of the Area Weighted Module.', low=1, high=10**5),
            'awm': Setting(True, 'The Area Weighted Module, which weighs eyes and mouth.'),
            'head_fusion': Setting(
                'logits',
                'How the heads of the regions are joined.',
                choices=('logits', 'probs'),
            ),
        },
        torch_names='mer_jax.models.dual_branch:TORCH_NAMES',
        regional=True,
        quick={**_QUICK_BRANCH, 'hidden': 32},
    ),
    'dual_inception': Network(
        'mer_jax.models.dual_inception:DualInception',
        options={'dropout': _dropout(0.5)},
        torch_names='mer_jax.models.dual_inception:TORCH_NAMES',
        quick_size=12,  # its dense layers grow with it
    ),
    'hybrid_cnn': Network(
        'mer_jax.models.hybrid_cnn:HybridCNN',
        options={
            'width': _width(64, 'Channels of layer 1; 64 is ResNet18.'),
            'blocks': _BLOCKS,
        },
        torch_names='mer_jax.models.hybrid_cnn:TORCH_NAMES',
        quick={'width': 8, 'blocks': 1},
        quick_size=32,
    ),
    'microexpstcnn': Network(
        'mer_jax.models.microexpstcnn:MicroExpSTCNN',
        options={
            'dropout': _dropout(0.5, 'After the convolution and after the hidden dense layer.')
        },
        torch_names='mer_jax.models.microexpstcnn:TORCH_NAMES',
    ),
    'ocnet': Network(
        'mer_jax.models.ocnet:OCNet',
        options={
            'width': _width(32, 'Channels of the first convolution; 32 is published.'),
            'dropout_units': Setting(
                2, 'So many of the first convolution units end in dropout.', low=0, high=3
            ),
            'dropout': _dropout(0.5, 'Of those units.'),
        },
        torch_names='mer_jax.models.ocnet:TORCH_NAMES',
        quick={'width': 2},
        quick_size=32,
    ),
    'offapexnet': Network(
        'mer_jax.models.offapexnet:OffApexNet',
        options={'dropout': _dropout(0.5, 'Of both hidden dense layers.')},
        torch_names='mer_jax.models.offapexnet:TORCH_NAMES',
        quick_size=12,  # its dense layers grow with it
    ),
    'single_branch': Network(
        'mer_jax.models.dual_branch:SingleBranch',
        options=_BRANCH,
        torch_names='mer_jax.models.dual_branch:SINGLE_TORCH_NAMES',
        regional=True,
        quick=_QUICK_BRANCH,
    ),
    'ststnet': Network(
        'mer_jax.models.ststnet:STSTNet',
        options={'dropout': _dropout(0.5, 'Before the last layer.')},
        torch_names='mer_jax.models.ststnet:TORCH_NAMES',
    ),
    'vggm': Network(
        'mer_jax.models.vggm:VGGM',
        options={
            'width': _width(96, 'Channels of the first convolution; 96 is published.'),
            'path': Setting('none', 'The short path.', choices=('none', 'v1', 'v2', 'v3', 'v4')),
            'merge': Setting('concat', 'How the short path is joined.', choices=('concat', 'sum')),
            'dropout': _dropout(0.5, 'Of both hidden dense layers.'),
        },
        torch_names='mer_jax.models.vggm:TORCH_NAMES',
        quick={'width': 3},
    ),
}


def by_class() -> dict[str, Network]:
    """The networks by the names of their classes, as `mj.models.STSTNet`."""
    return {network.module.partition(':')[2]: network for network in NETWORKS.values()}


def __getattr__(name: str) -> Any:
    """The class of a network, loaded on use."""
    if name not in by_class():
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return loaded(by_class()[name].module)


def regional() -> list[str]:
    """The names of the networks with a head for each region."""
    return [name for name, network in NETWORKS.items() if network.regional]


def options() -> dict[str, dict[str, Setting]]:
    """The options of every network, by its name."""
    return {name: network.options for name, network in NETWORKS.items()}


def make(name: str, *, classes: int, lowering: str, **options):
    """The network `name`; options: its keyword arguments. UserError for an unknown name."""
    if name not in NETWORKS:
        raise UserError(f'model.name is {name!r}; known: {", ".join(sorted(NETWORKS))}')
    return loaded(NETWORKS[name].module)(classes=classes, lowering=lowering, **options)
