"""SAMM: spontaneous micro-facial movements at 200 frames a second, filmed in grey (Davison et al.,
IEEE TAFFC 2018).
"""
