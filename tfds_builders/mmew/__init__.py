"""MMEW: micro- and macro-expressions at 90 frames a second (Ben et al., IEEE TPAMI 2021)."""
