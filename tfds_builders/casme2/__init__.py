"""CASME II: spontaneous micro-expressions at 200 frames a second, filmed in colour (Yan et al.,
PLoS ONE 2014).
"""
