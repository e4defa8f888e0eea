"""A run on disk: one frozen dataclass for each of its files.

It writes the file, reads it and checks what it reads.

`X.read(folder)` reads the file of a run, `x.write(folder)` writes it, `X.FILE` is its name.
"""
