#!/usr/bin/env bash
# Proves that another project can tfds.load our data sets: a fresh environment with tensorflow-cpu and without jax.
# Usage: .ci/tfds_with_tensorflow.sh [FOLDER]   FOLDER: where the environment goes (default: a temporary one, deleted).
# PYTHON names the interpreter (default python3, 3.11 or later). Downloads about 300 MB.
set -euo pipefail

repo=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
env=${1:-$work/env}

"${PYTHON:-python3}" -m venv "$env"
# importlib_resources and dill: tensorflow-datasets imports them without declaring them.
"$env/bin/python" -m pip install --quiet --disable-pip-version-check \
    'tensorflow-cpu>=2.18' 'tensorflow-datasets>=4.9.10' 'array_record>=0.8.1' 'importlib_resources>=6.0' dill \
    'numpy>=2.0' 'opencv-contrib-python-headless>=4.10,<5' 'openpyxl>=3.1' 'safetensors>=0.5' 'tqdm>=4.66' 'xlrd>=2.0' 'setuptools>=77'
# Built from a copy: an in-tree build would leave build/ and *.egg-info behind.
mkdir "$work/source"
cp -r "$repo"/{pyproject.toml,setup.py,LICENSE,mer_jax,tfds_builders,configs} "$repo"/requirements*.txt "$work/source/"
"$env/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall \
    "$work/source"

cd "$work"
TF_CPP_MIN_LOG_LEVEL=3 "$env/bin/python" "$repo/.ci/tfds_with_tensorflow.py" "$repo" "$work/data"
