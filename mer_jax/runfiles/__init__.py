"""A run on disk: the names of its files, and writes that a kill cannot leave half done."""
