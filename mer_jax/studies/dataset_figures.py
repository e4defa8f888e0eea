"""Figures of a data set, from arrays alone: counts, durations, action units, motion."""

import numpy as np

SUMMARY = ('clips', 'mean', 'sd', 'least', 'quarter', 'median', 'three_quarters', 'largest')


def counts(rows: np.ndarray, columns: np.ndarray, names: tuple, titles: tuple) -> np.ndarray:
    """Count how often each pair of values stands together.

    Args:
        rows: str[N], for instance the data set of each clip.
        columns: str[N], for instance its class.
        names: values of `rows`, in the order of the result.
        titles: values of `columns`, in the order of the result.

    Returns:
        int[names, titles].
    """
    is_row = rows[None] == np.array(names, np.str_)[:, None]
    is_column = columns[None] == np.array(titles, np.str_)[:, None]
    return is_row.astype(int) @ is_column.T.astype(int)


def summary(values: np.ndarray) -> dict[str, float]:
    """Return number, mean, spread and quartiles of values, without those that are NaN.

    Args:
        values: float[N].

    Returns:
        The keys of SUMMARY; NaN, but for the number, where there is no value.
    """
    values = values[~np.isnan(values)]
    if not len(values):
        return {'clips': 0} | dict.fromkeys(SUMMARY[1:], np.nan)
    edges = np.quantile(values, (0, 0.25, 0.5, 0.75, 1)).tolist()
    # the spread of one value is not known
    sd = float(values.std(ddof=1)) if len(values) > 1 else np.nan
    figures = (len(values), float(values.mean()), sd, *edges)
    return dict(zip(SUMMARY, figures, strict=True))


def milliseconds(first: np.ndarray, last: np.ndarray, fps: np.ndarray) -> np.ndarray:
    """Return the time from one frame to another.

    Args:
        first, last: int[N], numbers of frames, -1 unknown.
        fps: float[N], 0 unknown.

    Returns:
        float64[N]; NaN where a frame or the rate is unknown, or `last` lies before `first`.
    """
    usable = (first >= 0) & (last >= first) & (fps > 0)
    duration = 1000.0 * (last - first) / np.where(fps > 0, fps, 1)
    return np.where(usable, duration, np.nan)


def position(onset: np.ndarray, apex: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Return where the apex lies: 0 at the onset, 1 at the offset.

    Args:
        onset, apex, offset: int[N], numbers of frames, -1 unknown.

    Returns:
        float64[N]; NaN where one is unknown, or they do not follow each other.
    """
    usable = (onset >= 0) & (onset <= apex) & (apex <= offset) & (onset < offset)
    length = np.where(usable, offset - onset, 1)
    return np.where(usable, (apex - onset) / length, np.nan)


def pairs(units: np.ndarray) -> np.ndarray:
    """Count in how many clips two action units stand together.

    Args:
        units: float[N, A], 1 present, 0 absent; clips that nobody coded (NaN) do not count.

    Returns:
        int[A, A]; the diagonal counts the clips of each unit.
    """
    coded = units[~np.isnan(units).any(1)].astype(int)
    return coded.T @ coded


def motion(flow: np.ndarray) -> np.ndarray:
    """Return how much moves in each channel: the mean of its absolute values over the picture.

    Args:
        flow: [H, W, 2 or 3], u, v and strain.

    Returns:
        float64[3 or 4]: |u|, |v|, the magnitude, and strain where the picture has it.
    """
    flow = flow.astype(np.float64)
    magnitude = np.linalg.norm(flow[..., :2], axis=-1)
    channels = (*np.abs(flow[..., :2]).mean((0, 1)), magnitude.mean())
    return np.array([*channels, *np.abs(flow[..., 2:]).mean((0, 1))])


def cramers_v(table: np.ndarray) -> float:
    """Return Cramér's V of a table of counts: 0 unrelated, 1 each row has columns of its own.

    Args:
        table: int[R, C].

    Returns:
        NaN where fewer than two rows or columns hold a clip.
    """
    table = table[table.any(1)][:, table.any(0)].astype(np.float64)
    if min(table.shape) < 2:
        return np.nan
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    chi_squared = ((table - expected) ** 2 / expected).sum()
    return float(np.sqrt(chi_squared / table.sum() / (min(table.shape) - 1)))


def rule_accuracy(table: np.ndarray) -> float:
    """Return the accuracy of answering each row with the class that it has most often.

    Args:
        table: int[R, K], classes of the clips of each row; one row is the majority rule.

    Returns:
        A share, as measured on the clips that the rule was made from.
    """
    return float(table.max(1).sum() / max(table.sum(), 1))


def typical(values: np.ndarray, members: np.ndarray) -> int:
    """Return the clip nearest to the median of its group.

    Args:
        values: float[N].
        members: bool[N], at least one.

    Returns:
        Its row; the first one of equals, and of a group whose values are all NaN.
    """
    rows = np.flatnonzero(members)
    chosen = values[rows]
    if np.isnan(chosen).all():
        return int(rows[0])
    return int(rows[np.nanargmin(np.abs(chosen - np.nanmedian(chosen)))])
