"""A drawn face that moves as FACS describes, and its exact motion: data for tests and first runs,
of no real person.
"""
