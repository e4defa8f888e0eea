"""Networks by name: flax modules (image [B, H, W, C], or video [B, T, H, W, 1], train) -> (logits
[B, K], out).
"""

from typing import NamedTuple

from mer_jax.entries import loaded
from mer_jax.errors import UserError


class Network(NamedTuple):
    """A network: all that the program knows about it before it is built.

    Its options, their defaults and what inputs it takes stand in its module, which refuses others.
    """

    module: str  # 'module:class' of the flax module
    # 'module:name' of {name of a PyTorch module: flax path}, to read weights files; '' for none
    torch_names: str = ''
    choices: dict = {}  # option -> allowed values, of options that are names
    # a head a region, and head(maps): what the contrastive learner and explain need
    regional: bool = False


_ATTENTION = ('released', 'paper', 'sanet', 'off')
_DTYPES = ('float32', 'bfloat16')
NETWORKS = {
    'alexnet': Network('mer_jax.models.alexnet:AlexNet', 'mer_jax.models.alexnet:TORCH_NAMES'),
    'cnn3d': Network(
        'mer_jax.models.cnn3d:CNN3D',
        'mer_jax.models.cnn3d:TORCH_NAMES',
        choices={'arch': ('default', 'literal'), 'head': ('grid4', 'gap', 'flatten')},
    ),
    'dual_branch': Network(
        'mer_jax.models.dual_branch:DualBranch',
        'mer_jax.models.dual_branch:TORCH_NAMES',
        choices={'attention': _ATTENTION, 'fuse': ('logits', 'probs'), 'dtype': _DTYPES},
        regional=True,
    ),
    'dual_inception': Network(
        'mer_jax.models.dual_inception:DualInception', 'mer_jax.models.dual_inception:TORCH_NAMES'
    ),
    'hybrid_cnn': Network(
        'mer_jax.models.hybrid_cnn:HybridCNN', 'mer_jax.models.hybrid_cnn:TORCH_NAMES'
    ),
    'microexpstcnn': Network(
        'mer_jax.models.microexpstcnn:MicroExpSTCNN', 'mer_jax.models.microexpstcnn:TORCH_NAMES'
    ),
    'ocnet': Network('mer_jax.models.ocnet:OCNet', 'mer_jax.models.ocnet:TORCH_NAMES'),
    'offapexnet': Network(
        'mer_jax.models.offapexnet:OffApexNet', 'mer_jax.models.offapexnet:TORCH_NAMES'
    ),
    'single_branch': Network(
        'mer_jax.models.dual_branch:SingleBranch',
        'mer_jax.models.dual_branch:SINGLE_TORCH_NAMES',
        choices={'attention': _ATTENTION, 'dtype': _DTYPES},
        regional=True,
    ),
    'ststnet': Network('mer_jax.models.ststnet:STSTNet', 'mer_jax.models.ststnet:TORCH_NAMES'),
    'vggm': Network(
        'mer_jax.models.vggm:VGGM',
        'mer_jax.models.vggm:TORCH_NAMES',
        choices={'path': ('none', 'v1', 'v2', 'v3', 'v4'), 'merge': ('concat', 'sum')},
    ),
}
# (least, most) of options that are numbers, of whichever network has them
RANGES = {
    'hidden': (1, 10**5),
    'width': (2, 1024),
    'blocks': (1, 2),
    'groups': (1, 512),
    'fine': (0, 2),
    'dropped': (0, 3),
    'dropout': (0, 0.99),
    'dropout_dense': (0, 0.99),
    'dropout_contrast': (0, 0.99),
}


def regional() -> list:
    """The names of the networks with a head a region."""
    return [name for name, network in NETWORKS.items() if network.regional]


def make(name: str, *, classes: int, lowering: str, **settings):
    """The network `name`; settings are its own keyword arguments. Raises UserError for an unknown
    name.
    """
    if name not in NETWORKS:
        raise UserError(f'model.name is {name!r}; known: {", ".join(sorted(NETWORKS))}')
    return loaded(NETWORKS[name].module)(classes=classes, lowering=lowering, **settings)
