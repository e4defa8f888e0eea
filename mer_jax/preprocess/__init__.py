"""From frames to what a network sees, without jax."""
