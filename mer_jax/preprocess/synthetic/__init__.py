"""A drawn face of no real person that moves as FACS describes, with its exact motion."""
