"""The one exception that reaches a user as a single line."""


class UserError(Exception):
    """A mistake that the user can mend: names the file, row, key or value, and what would
    be right.
    """


def first_line(error: BaseException) -> str:
    """Return the first line of what a library says, 200 characters at most.

    Args:
        error: of the library.
    """
    return str(error).strip().split('\n')[0][:200]
