"""The files of a run: one frozen dataclass each.

`X.read(folder)` reads a file and checks its content, `x.write(folder)` writes it, `X.FILE` is its
name.
"""
