"""From frames to what a network sees: numpy and OpenCV only, never jax."""
