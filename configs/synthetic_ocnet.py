"""OC-Net (Koo et al. 2022) on clips of 12 synthetic faces, reduced: 32x32, a quarter of the width;
`gan=on` adds a GAN a fold.
"""

from ml_collections import ConfigDict

from mer_jax.presets import ocnet, ocnet_variants, variants

VARIANTS = ocnet_variants(rates=False)  # so few epochs need the rate above


def get_config(variant: str = '') -> ConfigDict:
    c = ocnet('synthetic_ocnet', 'synthetic_faces/small', size=32)
    c.model.ocnet.width = 8
    c.model.vggm.width = 12
    c.model.alexnet.hidden = 256
    c.gan.update({'size': 32, 'width': 8, 'steps': 1000})
    c.train.update(
        {'epochs': 60, 'seeds': 1, 'learning_rate': 1e-3, 'at_once': 1, 'lowering': 'matmul'}
    )
    return variants(c, variant, VARIANTS)
