"""Approximate substring search: where in a text a pattern stands with the fewest edits.

Sellers' variant of the edit distance (P. H. Sellers, "The theory and computation of evolutionary
distances", J. Algorithms 1, 1980): a match may begin anywhere for free. One numpy row per character of the
pattern, so a search costs `len(pattern) * len(text)` cells. What may count as a match is decided by `spans`.
"""

import numpy as np
from numpy.typing import NDArray

from grounding_assets.core.records import Span

_FORBIDDEN = 1 << 20
MAX_WINDOWS = 8
"""Equally good ends that are followed up."""


def closest_windows(
    pattern: str, text: str, starts: NDArray[np.bool_], ends: NDArray[np.bool_], max_edits: int
) -> list[Span]:
    """The windows of the text with the fewest insertions, deletions and substitutions, if few enough.

    Args:
        pattern: not empty.
        starts: shape (len(text) + 1,), True where a window may begin.
        ends: shape (len(text) + 1,), True where a window may end.
        max_edits: more edits than that are no match.

    Returns:
        Up to `MAX_WINDOWS` `[start, end)` pairs with the same number of edits, from left to right.

    >>> everywhere = np.ones(12, dtype=bool)
    >>> closest_windows("grey cat", "a gray cat.", everywhere, everywhere, 1)
    [(2, 10)]
    """
    codes = np.fromiter(map(ord, text), dtype=np.int64, count=len(text))
    free_start = np.where(starts, 0, _FORBIDDEN)
    edits = np.where(ends, _last_row(pattern, codes, free_start), _FORBIDDEN)
    fewest = int(edits.min())
    if fewest > max_edits:
        return []

    windows: list[Span] = []
    longest = len(pattern) + max_edits
    for end in np.flatnonzero(edits == fewest)[:MAX_WINDOWS].tolist():
        reach = min(end, longest)
        backwards = codes[end - reach : end][::-1]
        row = _last_row(pattern[::-1], backwards, np.arange(reach + 1))
        allowed = starts[end - reach : end + 1][::-1]
        lengths = np.flatnonzero((row == fewest) & allowed)
        lengths = lengths[lengths > 0]
        if len(lengths):
            length = int(lengths[np.argmin(np.abs(lengths - len(pattern)))])
            windows.append((end - length, end))
    return windows


def _last_row(pattern: str, codes: NDArray[np.int64], first_row: NDArray[np.int64]) -> NDArray[np.int64]:
    """Edits of the whole pattern against every prefix of the text, the first row saying where it may begin."""
    columns = np.arange(len(codes) + 1)
    row = first_row
    for character in pattern:
        below = row + 1
        np.minimum(below[1:], row[:-1] + (codes != ord(character)), out=below[1:])
        row = np.minimum.accumulate(below - columns) + columns
    return row
