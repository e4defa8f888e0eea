"""Training of the learned motion magnifier; mer_jax/preprocess/magnet.py uses its weights."""
