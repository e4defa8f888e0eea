"""Every setting of an experiment, defined once."""
