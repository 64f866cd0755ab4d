"""Where in a caption a phrase could stand: the very text, the folded text, the closest text.

Every place is `[start, end)` in code points of the caption, begins and ends at the edge of a grapheme
cluster, and does not cut a word in scripts that show words. Which phrase gets which place is decided by
`spans`.
"""

import math
import unicodedata
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from functools import cached_property, lru_cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from grounding_assets.core.records import Span
from grounding_assets.core.spans.edit_distance import closest_windows
from grounding_assets.core.spans.folding import Folded, bare, cluster_edges, comparison_key, fold

MAX_PLACES = 100
"""Places returned for one phrase; a caption that repeats a phrase more often is not prose."""
MAX_OCCURRENCES = 500
"""Occurrences looked at for one phrase, those inside words included."""
MAX_EDIT_SHARE = 0.2
"""A close place differs from the phrase in fewer characters than this share of it, after folding."""
MAX_CLOSE_CELLS = 20_000_000
"""Cells of edit distance computed for one caption; beyond that no close place is found."""

MIN_WORD_RATIO = 0.6
"""Likeness (`difflib` ratio, 0.0 to 1.0) that a close place needs at the first word and at the last."""
MAX_WORD = 40
"""Characters of a word that are compared for it."""

MAX_MARKS = 8
"""Combining marks looked past to find the letter that they stand on."""

_SPACED_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "DIGIT")
"""Scripts in which the edge of a word shows; in all others a phrase may touch its neighbours."""


class CaptionPlaces:
    """One caption, prepared once for all of its phrases. Phrases come without blank edges."""

    def __init__(self, caption: str):
        self._caption = caption
        self._edges = cluster_edges(caption)
        self._close_cells_left = MAX_CLOSE_CELLS
        self._exact_of: dict[str, list[Span]] = {}
        self._folded_of: dict[str, list[Span]] = {}

    @cached_property
    def _folded(self) -> Folded:
        return fold(self._caption)

    def exact(self, phrase: str) -> list[Span]:
        """Where the caption holds the very code points of the phrase."""
        if phrase not in self._exact_of:
            found = (
                (start, end)
                for start, end in _occurrences(self._caption, phrase)
                if start in self._edges and end in self._edges and _is_clean(self._caption, start, end)
            )
            self._exact_of[phrase] = list(islice(found, MAX_PLACES))
        return self._exact_of[phrase]

    def folded(self, phrase: str) -> list[Span]:
        """Where the caption reads the same once folded; else without an article or edge punctuation."""
        if phrase not in self._folded_of:
            patterns = dict.fromkeys([fold(phrase).text.strip(), bare(phrase), comparison_key(phrase)])
            found = (self._folded_places(pattern, phrase) for pattern in patterns)
            self._folded_of[phrase] = next(filter(None, found), [])
        return self._folded_of[phrase]

    def close(self, phrase: str) -> list[Span]:
        """Where the caption differs least, if little enough."""
        pattern = comparison_key(phrase)
        max_edits = math.ceil(len(pattern) * MAX_EDIT_SHARE) - 1
        cells = len(pattern) * len(self._folded.text)
        if max_edits < 1 or cells > self._close_cells_left:
            return []
        self._close_cells_left -= cells
        starts, ends = self._window_edges
        windows = closest_windows(pattern, self._folded.text, starts, ends, max_edits)
        alike = [span for span in windows if _edge_words_alike(pattern, self._folded.text[slice(*span)])]
        return self._original(alike, pattern, phrase)

    def _folded_places(self, pattern: str, phrase: str) -> list[Span]:
        text = self._folded.text
        found = (span for span in _occurrences(text, pattern) if _is_clean(text, *span))
        return self._original(islice(found, MAX_PLACES), pattern, phrase)

    def _original(self, folded_spans: Iterable[Span], pattern: str, phrase: str) -> list[Span]:
        """Folded spans as caption spans; if the pattern lost its article, the caption's is included."""
        lost_article = pattern == comparison_key(phrase) != bare(phrase)
        places: list[Span] = []
        for start, end in folded_spans:
            if lost_article:
                start = self._article_before(start)
            span = self._folded.span(start, end)
            if span is not None and not _has_blank_edge(self._caption, *span):
                places.append(span)
        return places

    def _article_before(self, start: int) -> int:
        text = self._folded.text
        for article in ("the ", "an ", "a "):
            at = start - len(article)
            if at >= 0 and text.startswith(article, at) and not _joins(text, at):
                return at
        return start

    @cached_property
    def _window_edges(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Folded offsets, 0 to its length, at which a close place may begin and end."""
        text = self._folded.text
        starts = [text[i : i + 1].strip() != "" and not _joins(text, i) for i in range(len(text) + 1)]
        ends = [i > 0 and not text[i - 1].isspace() and not _joins(text, i) for i in range(len(text) + 1)]
        return np.array(starts), np.array(ends)


def _occurrences(text: str, pattern: str) -> Iterator[Span]:
    """The first `MAX_OCCURRENCES` occurrences, overlapping ones included, from left to right."""
    at = text.find(pattern) if pattern else -1
    for _ in range(MAX_OCCURRENCES):
        if at < 0:
            return
        yield at, at + len(pattern)
        at = text.find(pattern, at + 1)


def _is_clean(text: str, start: int, end: int) -> bool:
    return not (_joins(text, start) or _joins(text, end) or _has_blank_edge(text, start, end))


def _has_blank_edge(text: str, start: int, end: int) -> bool:
    return text[start].isspace() or text[end - 1].isspace()


def _joins(text: str, at: int) -> bool:
    """True if `text[at - 1]` and `text[at]` belong to one word."""
    if not 0 < at < len(text) or not _in_word(text[at]):
        return False
    base = at - 1
    while base > max(0, at - MAX_MARKS) and unicodedata.category(text[base]).startswith("M"):
        base -= 1
    return _in_word(text[base])


@lru_cache(maxsize=4096)
def _in_word(character: str) -> bool:
    return character.isalnum() and unicodedata.name(character, "").startswith(_SPACED_SCRIPTS)


def _edge_words_alike(pattern: str, window: str) -> bool:
    """Edits may not eat up the first or the last word: there the head of a phrase stands."""
    words = pattern.split()
    first, last = len(words[0][:MAX_WORD]), len(words[-1][:MAX_WORD])
    return all(
        SequenceMatcher(None, word, other, autojunk=False).ratio() >= MIN_WORD_RATIO
        for word, other in ((pattern[:first], window[:first]), (pattern[-last:], window[-last:]))
    )
