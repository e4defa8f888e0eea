"""What a message must name: its words may change, the key, the value and the remedy may not."""

import re


def pattern(pieces: str) -> str:
    """Regular expression of texts that hold all pieces in order.

    Args:
        pieces: as 'train.seeds ... 0 ... 1 to 1000', with ' ... ' where any words may stand.
    """
    return '(?s)' + '.*'.join(re.escape(piece) for piece in pieces.split(' ... '))


def mentions(message: str, pieces: str) -> bool:
    """Whether a message holds all pieces in order, as `pattern` takes them."""
    return re.search(pattern(pieces), message) is not None
