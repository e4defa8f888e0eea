"""The packages of the wheel; everything else about it stands in pyproject.toml.

The folder configs/ is installed as mer_jax.configs. A package `configs` of its own would hide a
folder of that name of the user, or be hidden by it.
"""

from setuptools import find_namespace_packages, setup

# folders without __init__.py count too: mer_jax/report/templates
PACKAGES = find_namespace_packages(include=['mer_jax*', 'tfds_builders*'])
setup(
    packages=[*PACKAGES, 'mer_jax.configs'],
    package_dir={'mer_jax.configs': 'configs'},
)
