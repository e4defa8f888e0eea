"""Micro-expression recognition: python main.py --help; the program is mer_jax/cli.py."""

import sys

from mer_jax.__main__ import main

if __name__ == '__main__':
    sys.exit(main())
