"""CASME: spontaneous micro-expressions at 60 frames a second (Yan et al., FG 2013)."""
