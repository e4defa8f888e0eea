"""The one exception that reaches a user as a single line."""


class UserError(Exception):
    """A mistake that the user can mend: names the file, row, key or value, and what would
    be right.
    """
