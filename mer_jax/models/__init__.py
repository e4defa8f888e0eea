"""Networks by name: the one list of them, `NETWORKS`.

To add a network, edit three files:

1. `models/<name>.py`: the module, and the source of its layers.
2. This file: its `NetworkEntry` in `NETWORKS`, with its options. The setting `model.name`,
   `--help`, the pages of settings and `mj.models.<Class>` take it from there.
3. `tests/support/networks.py`: its line in the one table of the tests. They then check for it that
   no test row reaches training, that no parameter is dead, that dropout acts in training only, and
   the number of parameters.

A config file is optional. So is the same network in PyTorch, in `tests/support/torch_networks.py`:
where it is there, a test compares the logits of both.

What the module must provide:

- It is a module of flax.linen with the fields `classes: int` and `lowering: str`, and a field with
  a default for each option of its entry. `lowering` says how convolutions are computed; hand it to
  `layers.Conv` or `volumes.Conv3D`, which are fast inside the loop over folds.
- `__call__(self, image, *, train: bool)` returns `(logits, out)`. `image` is float32[B, H, W, C],
  or a clip [B, T, H, W, 1]. `logits` is float32[B, classes]. `train` switches dropout on, and batch
  norm to the statistics of the batch.
- `__call__` first calls `layers.check_image` or `volumes.check_video`, whose message tells the user
  which setting does not fit.
- Dropout is `nn.Dropout`. Variables are parameters and, of batch norm, 'batch_stats'; there are no
  other collections.
- `out` is a dictionary. `out['features']`, float32[B, D], is required: the last hidden layer, which
  an SVM learns under `head.features=network`.

A network whose entry says `regional=True` has a head for each region of the face (R regions). Its
`out` also holds, for the contrastive learner, 'heads' [B, R, classes] and 'contrast' [B, R * D],
the features that are aligned; and for `explain`, 'attended' and 'skipped' [B, R, h, w, D]:
ReLU(attended + skipped) are the last maps; 'pooled' [B, R, D] is the mean of each map, 'weights'
[B, R, D] is its weight. Its method `head(maps)` computes (logits, out) from the last maps.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from mer_jax.entries import loaded
from mer_jax.errors import UserError
from mer_jax.settings.fields import Setting, Value

if TYPE_CHECKING:
    import flax.linen as nn


class NetworkEntry(NamedTuple):
    """All that the program knows about a network."""

    module: str  # 'module:class' of the flax module
    # {field of the module: its default, allowed values and reason}; in a config model.NAME.FIELD
    options: dict[str, Setting]
    # 'module:constant' of a dictionary {name of a PyTorch module: flax path}, by which files of
    # weights are read; '' where there is none
    torch_names: str = ''
    # 'module:name' of the names in files of the authors' code, where they differ: modules, as
    # torch_names, and leaves {flax leaf: PyTorch leaf}; '' for none
    released: str = ''
    # of the form that its authors released, for three classes; 0: that of the defaults
    released_parameters: int = 0
    regional: bool = False  # a head for each region of the face, for alignment and for `explain`
    quick: dict[str, Value] = {}  # options that make it small, for the variant :quick
    quick_size: int = 1024  # largest side of an image in the variant :quick, in pixels
    quick_frames: int = 8  # most frames of a video in the variant :quick
    # options with which each output is a logit by itself, as action units need, and which change
    # no parameter
    apart: dict[str, Value] = {}


def _dropout(default, reason='Of the last hidden layer.'):
    return Setting(default, reason, low=0, high=0.99)


def _width(default, reason):
    return Setting(default, reason, low=2, high=1024)


_BLOCKS = Setting(2, 'Of each layer; 2 is ResNet18.', low=1, high=2)
_PRECISION = {
    'dtype': Setting(
        'float32',
        'What layers compute in; parameters, statistics and losses stay float32.',
        choices=('float32', 'bfloat16'),
    ),
    'remat': Setting(False, 'Less memory, and a third more time.'),
}
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
    **_PRECISION,
    'initial_kernels': Setting(
        'truncated',
        'Of convolutions. normal: as PyTorch draws them. truncated: none beyond two standard '
        'deviations.',
        choices=('truncated', 'normal'),
    ),
}
# Without attention, which compiles for a minute.
_QUICK_BRANCH = {
    'width': 8,
    'blocks': 1,
    'pool': True,
    'unstrided_layers': 2,
    'attention': 'off',
}
NETWORKS = {
    'alexnet': NetworkEntry(
        'mer_jax.models.alexnet:AlexNet',
        options={
            'dropout': _dropout(0.5, 'Of both hidden dense layers.'),
            'hidden': Setting(4096, 'Units of both hidden dense layers.', low=1, high=10**5),
        },
        torch_names='mer_jax.models.alexnet:TORCH_NAMES',
        quick={'hidden': 64},
        quick_size=63,  # the smallest image that it takes
    ),
    'cnn3d': NetworkEntry(
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
    'dual_branch': NetworkEntry(
        'mer_jax.models.dual_branch:DualBranch',
        options={
            **_BRANCH,
            'batch_statistics': Setting(
                'halves',
                'Of the shared layers. halves: eyes and mouth each by their own, as released; '
                'pooled: by those of both.',
                choices=('halves', 'pooled'),
            ),
            'hidden': Setting(1024, 'Hidden units of the Area Weighted Module.', low=1, high=10**5),
            'awm': Setting(True, 'The Area Weighted Module, which weighs eyes and mouth.'),
            'head_fusion': Setting(
                'logits',
                'How the heads of the regions are joined.',
                choices=('logits', 'probs'),
            ),
        },
        torch_names='mer_jax.models.dual_branch:TORCH_NAMES',
        released='mer_jax.models.dual_branch:RELEASED_NAMES',
        regional=True,
        quick={**_QUICK_BRANCH, 'hidden': 32},
        apart={'head_fusion': 'logits'},
    ),
    'dual_inception': NetworkEntry(
        'mer_jax.models.dual_inception:DualInception',
        options={'dropout': _dropout(0.0, 'Of the hidden dense layer; the public code has none.')},
        torch_names='mer_jax.models.dual_inception:TORCH_NAMES',
        quick_size=12,  # its dense layers grow with the image
    ),
    'flow_cnn': NetworkEntry(
        'mer_jax.models.flow_cnn:FlowCNN',
        options={
            'dropout': _dropout(0.3, 'Before the hidden dense layer.'),
            'width': _width(32, 'Channels of the first convolution.'),
            'hidden': Setting(64, 'Units of the hidden dense layer.', low=1, high=10**5),
        },
        quick={'width': 8},
        quick_size=28,
    ),
    'htnet': NetworkEntry(
        'mer_jax.models.htnet:HTNet',
        options={
            'dim': Setting(64, 'Channels of the first level; 256 is published.', low=2, high=1024),
            'heads': Setting(3, 'Of the attention of the first level.', low=1, high=64),
            'patch': Setting(
                7,
                'Side of a patch in pixels. 7 of 28 pixels, as published, leaves one patch to a '
                'block and attention nothing to weigh; 1 gives blocks of 7x7.',
                low=1,
                high=256,
            ),
            'hierarchies': Setting(
                3, 'Levels. With 2, four patches of 7 pixels form a block.', low=1, high=5
            ),
            'depth': Setting(10, 'Transformer blocks of the last level.', low=1, high=50),
            'squares': Setting(
                'released',
                'released: the input is put together from four squares round fixed points, as in '
                'the public code. none: the image as it is.',
                choices=('released', 'none'),
            ),
        },
        torch_names='mer_jax.models.htnet:TORCH_NAMES',
        released_parameters=139_582_982,
        quick={'dim': 8, 'depth': 1},
    ),
    'hybrid_cnn': NetworkEntry(
        'mer_jax.models.hybrid_cnn:HybridCNN',
        options={
            'width': _width(64, 'Channels of layer 1; 64 is ResNet18.'),
            'blocks': _BLOCKS,
            **_PRECISION,
        },
        torch_names='mer_jax.models.hybrid_cnn:TORCH_NAMES',
        quick={'width': 8, 'blocks': 1},
        quick_size=32,
    ),
    'microexpstcnn': NetworkEntry(
        'mer_jax.models.microexpstcnn:MicroExpSTCNN',
        options={
            'dropout': _dropout(0.5, 'After the convolution and after the hidden dense layer.')
        },
        torch_names='mer_jax.models.microexpstcnn:TORCH_NAMES',
        quick_size=16,
        quick_frames=17,  # the least it takes
    ),
    'ocnet': NetworkEntry(
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
    'offapexnet': NetworkEntry(
        'mer_jax.models.offapexnet:OffApexNet',
        options={'dropout': _dropout(0.5, 'Of both hidden dense layers.')},
        torch_names='mer_jax.models.offapexnet:TORCH_NAMES',
        quick_size=12,  # its dense layers grow with the image
    ),
    'rcn_a': NetworkEntry(
        'mer_jax.models.rcn_a:RCNA',
        options={
            'width': _width(32, 'Channels of every convolution; 64 is released.'),
            'grid': Setting(
                5,
                'Side of the grid of means behind the convolutions; 7 is released.',
                low=1,
                high=64,
            ),
            'dropout': _dropout(0.5, 'After both max-pools.'),
        },
        torch_names='mer_jax.models.rcn_a:TORCH_NAMES',
        released_parameters=55_747,
        quick={'width': 4},
        quick_size=28,
    ),
    'single_branch': NetworkEntry(
        'mer_jax.models.dual_branch:SingleBranch',
        options=_BRANCH,
        torch_names='mer_jax.models.dual_branch:SINGLE_TORCH_NAMES',
        regional=True,
        quick=_QUICK_BRANCH,
    ),
    'sssnet': NetworkEntry(
        'mer_jax.models.sssnet:SSSNet',
        options={
            'dropout': _dropout(0.5, 'Of whole maps, and of the hidden dense layer.'),
            'softmax': Setting(
                False,
                'A softmax of the outputs, before that of the cross-entropy; the public run has '
                'it. It keeps outputs from growing, and shrinks gradients.',
            ),
        },
        torch_names='mer_jax.models.sssnet:TORCH_NAMES',
        released_parameters=1_349_251,
        quick_size=28,
        apart={'softmax': False},
    ),
    'ststnet': NetworkEntry(
        'mer_jax.models.ststnet:STSTNet',
        options={'dropout': _dropout(0.5, 'After the max-pool of each stream.')},
        torch_names='mer_jax.models.ststnet:TORCH_NAMES',
    ),
    'vggm': NetworkEntry(
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


def by_class() -> dict[str, NetworkEntry]:
    """Return the entries by class, as in `mj.models.STSTNet`."""
    return {network.module.partition(':')[2]: network for network in NETWORKS.values()}


def __getattr__(name: str) -> Any:
    """Load the class of a network on its first use."""
    if name not in by_class():
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return loaded(by_class()[name].module)


def __dir__() -> list[str]:
    return sorted({*globals(), *by_class()})


def regional() -> list[str]:
    """Return the names of the networks with regional heads."""
    return [name for name, network in NETWORKS.items() if network.regional]


def options() -> dict[str, dict[str, Setting]]:
    """Return the options of every network, by its name."""
    return {name: network.options for name, network in NETWORKS.items()}


def make(name: str, *, classes: int, lowering: str, **options: Value) -> 'nn.Module':
    """Build the network of a name.

    Args:
        name: a key of NETWORKS.
        classes: their number, K.
        lowering: how convolutions are computed, 'matmul', 'native' or 'shifted'.
        options: other fields of the module.

    Raises:
        UserError: there is no network of this name.
    """
    if name not in NETWORKS:
        raise UserError(f'model.name is {name!r}; known: {", ".join(sorted(NETWORKS))}')
    return loaded(NETWORKS[name].module)(classes=classes, lowering=lowering, **options)
