"""Drawn faces that move as FACS describes, with their exact motion."""
