"""DFME: a page, and no builder, because the layout of its release is not public."""
