"""Apex spotting (Koo et al. 2022) for SMIC, which has no annotated apexes: trained on CASME II and
SAMM, each subject of all three left out in turn; `data.apex=smic_spotting` trains it for
recognition.
"""

from ml_collections import ConfigDict

from mer_jax.presets import spotting, spotting_variants, variants

VARIANTS = spotting_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = spotting('smic_spotting', 'casme2/spotting+samm/spotting+smic/spotting')
    c.protocol.name = 'loso'
    return variants(c, variant, VARIANTS)
