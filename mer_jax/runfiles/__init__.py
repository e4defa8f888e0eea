"""A run on disk: for each of its files one frozen dataclass, which writes it, reads it and checks
what it reads.

`X.read(folder)` reads the file of a run, `x.write(folder)` writes it, `X.FILE` is its name.
"""
