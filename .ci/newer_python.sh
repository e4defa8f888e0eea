#!/usr/bin/env bash
# Proves that the project runs under a Python newer than its oldest one, with the newest jax that resolves there.
# Usage: .ci/newer_python.sh FOLDER   FOLDER takes the environment, the built data and the run.
# The data set is built by the `python` of the caller, which must have the requirements, and read by the newer one.
# Without an interpreter 3.12 or newer it says so in one line and succeeds.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1

newer() {  # prints the first interpreter 3.12 or newer, from the path or from pyenv
    local candidate
    for candidate in python3.12 python3.13 python3.14 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-9]*/bin/python; do
        if "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

older=$(command -v python)
python=$(newer)
if [ -z "$python" ]; then
    echo 'no Python 3.12 or newer was found: that stage is skipped'
    exit 0
fi
"$python" -m venv "$folder/venv"
. "$folder/venv/bin/activate"
pip install --quiet --disable-pip-version-check -r requirements.txt pytest pytest-xdist
python -c 'import jax, platform; print(f"Python {platform.python_version()}, jax {jax.__version__}")'
export TFDS_DATA_DIR="$folder/tfds" MER_JAX_CACHE="$folder/cache"
config=configs/synthetic_ststnet.py:quick
"$older" main.py build --config=$config
python main.py --config=$config --workdir="$folder/run"
python -m pytest -q -n 2 -m fast
