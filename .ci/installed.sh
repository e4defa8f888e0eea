#!/usr/bin/env bash
# Proves that what `pip install .` installs works without the repository.
# Usage: .ci/installed.sh FOLDER   FOLDER takes the package, the built data and the runs.
# The `python` of the caller must have the requirements.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1

mkdir -p "$folder/source" "$folder/empty/configs"
# a build leaves files in its folder
git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$folder/source"
pip install --quiet --disable-pip-version-check --no-deps --target "$folder/site" "$folder/source"
cd "$folder/empty"
export PATH="$folder/site/bin:$PATH" PYTHONPATH="$folder/site"
export TFDS_DATA_DIR="$folder/tfds" MER_JAX_CACHE="$folder/cache"
mer-jax --version
python -c 'import mer_jax, sys; sys.exit(not mer_jax.__file__.startswith(sys.argv[1]))' "$folder/site"
mer-jax --config=casme2_dualbranch --help > help.txt
grep -q 'model.name = dual_branch' help.txt
# a folder of the user, which must disturb nothing
echo 'raise ImportError("of the user")' > configs/__init__.py
mer-jax --config=synthetic_ststnet:quick
test -s runs/synthetic_ststnet-quick/report.html
