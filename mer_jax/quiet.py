"""Import this before jax: XLA's compiler then keeps its alarms to itself.

They tell its developers that a program compiles slowly; users read them as a failure. What fails
raises an exception all the same. A level that the user has set stays.
"""

import os

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # read once, when jaxlib is loaded
