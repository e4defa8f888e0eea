"""The dual-branch system of Ruan et al. 2022 under MEGC2018: objective classes, train on CASME II
and test on SAMM, and the other way; manual_dir is 'A+B'.
"""

from ml_collections import ConfigDict

from mer_jax.presets import (
    dualbranch,
    dualbranch_variants,
    megc2018,
    megc2018_variants,
    variants,
    without,
)

VARIANTS = {
    **without(dualbranch_variants(), ('classes', 'target', 'published')),
    **megc2018_variants(),
}
# One target for both: else how a picture was made would say which data set it is from.
DATA = 'casme2/samer,edition=2014,target=apex+samm/samer,target=apex'


def get_config(variant: str = '') -> ConfigDict:
    c = megc2018(dualbranch('megc2018_dualbranch'), DATA)
    return variants(c, variant, VARIANTS)
