"""Networks by name: flax modules (image [B, H, W, C], or video [B, T, H, W, 1], train) -> (logits
[B, K], out).
"""

from mer_jax.errors import UserError
from mer_jax.models.alexnet import AlexNet
from mer_jax.models.cnn3d import CNN3D
from mer_jax.models.dual_branch import DualBranch, SingleBranch
from mer_jax.models.dual_inception import DualInception
from mer_jax.models.hybrid_cnn import HybridCNN
from mer_jax.models.microexpstcnn import MicroExpSTCNN
from mer_jax.models.ocnet import OCNet
from mer_jax.models.offapexnet import OffApexNet
from mer_jax.models.ststnet import STSTNet
from mer_jax.models.vggm import VGGM

MODELS = {
    'alexnet': AlexNet,
    'cnn3d': CNN3D,
    'dual_branch': DualBranch,
    'dual_inception': DualInception,
    'hybrid_cnn': HybridCNN,
    'microexpstcnn': MicroExpSTCNN,
    'ocnet': OCNet,
    'offapexnet': OffApexNet,
    'single_branch': SingleBranch,
    'ststnet': STSTNet,
    'vggm': VGGM,
}

# with a head a region and head(maps): what the contrastive learner and explain need
REGIONAL = ('dual_branch', 'single_branch')


def make(name: str, *, classes: int, lowering: str, **settings):
    """The network `name`; settings are its own keyword arguments. Raises UserError for an unknown
    name.
    """
    if name not in MODELS:
        raise UserError(f'model.name is {name!r}; known: {", ".join(sorted(MODELS))}')
    return MODELS[name](classes=classes, lowering=lowering, **settings)
