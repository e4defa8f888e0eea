"""The dual-branch system of Ruan et al. 2022 across CASME II, SAMM and SMIC: each data set is left
out once; manual_dir is 'A+B+C'.
"""

from ml_collections import ConfigDict

from mer_jax.presets import ACROSS, across, dualbranch, dualbranch_variants, variants, without

VARIANTS = {**without(dualbranch_variants(), ('classes', 'target', 'published')), **ACROSS}
# One target for all: else how a picture was made would say which data set it is from.
DATA = 'casme2/samer,target=apex+samm/samer,target=apex+smic/samer,target=apex'


def get_config(variant: str = '') -> ConfigDict:
    c = across(dualbranch('composite_dualbranch'), DATA)
    return variants(c, variant, VARIANTS)
