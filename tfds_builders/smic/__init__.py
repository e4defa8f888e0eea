"""SMIC: spontaneous micro-expressions of the University of Oulu, three cameras (HS, VIS, NIR)."""
