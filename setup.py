"""The packages of the wheel; everything else about it stands in pyproject.toml.

The folder configs/ is installed as mer_jax.configs. A package `configs` of its own would hide a
folder of that name of the user, or be hidden by it.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=['mer_jax*', 'tfds_builders*']), 'mer_jax.configs'],
    package_dir={'mer_jax.configs': 'configs'},
)
