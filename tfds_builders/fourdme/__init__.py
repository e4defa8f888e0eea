"""4DME: micro-expressions with several emotion tags each (Li et al., IEEE TAFFC 2022)."""
