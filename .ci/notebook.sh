#!/usr/bin/env bash
# What a user does who has the notebook and a wheel, and no repository: a fresh environment, both files in one folder,
# every cell from top to bottom.
# Usage: .ci/notebook.sh FOLDER   FOLDER takes the environment, the built data and the runs.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1

mkdir -p "$folder/source" "$folder/here"
# a build leaves files in its folder
git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$folder/source"
pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$folder/here" "$folder/source"
cp notebooks/quickstart.ipynb .ci/run_notebook.py "$folder/here"
rm -r "$folder/source"
python3 -m venv "$folder/venv"
. "$folder/venv/bin/activate"
pip install --quiet --disable-pip-version-check nbclient ipykernel
export TFDS_DATA_DIR="$folder/tfds" MER_JAX_CACHE="$folder/cache" IPYTHONDIR="$folder/ipython"
unset PYTHONPATH MPLBACKEND  # Agg would draw nothing in a notebook
cd "$folder/here"
python run_notebook.py quickstart.ipynb
