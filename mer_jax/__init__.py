"""mer_jax: micro-expression recognition in JAX, every fold of an experiment in one compiled
program.
"""
