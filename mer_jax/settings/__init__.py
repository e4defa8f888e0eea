"""Every setting of an experiment, once: default, allowed values, and reason."""
