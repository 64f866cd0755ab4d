"""Where a quoted phrase stands in the cleaned caption. Models quote, this module counts.

`candidates` proposes where a phrase could stand, in three stages, each tried for every phrase before the next
begins; which place a phrase gets is decided here, from its text alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from grounding_assets.core.records import Expression, Span, SpanStatus
from grounding_assets.core.spans.candidates import CaptionPlaces
from grounding_assets.core.spans.folding import fold, trimmed, without_article


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase as a model quotes it."""

    text: str
    noun_chunk: str | None = None
    claimed_start: int | None = None
    """Where the model says that it begins; used only to choose between places that fit."""


@dataclass(frozen=True, slots=True)
class LocatedPhrase:
    """The answer for one phrase; from here on `caption[start:end]` is its text."""

    status: SpanStatus | Literal["dropped"]
    char_span: Span | None
    """None if, and only if, the status is dropped."""


@dataclass(frozen=True, slots=True)
class SpannedExpressions:
    """The phrases of one caption as expressions in reading order, and what became of the others."""

    expressions: tuple[Expression, ...]
    repaired: int
    """Expressions whose text differs from the quote."""
    dropped: tuple[str, ...]
    """Phrases that do not stand in the caption, or that repeat one more often than it does."""


def locate_phrases(caption: str, phrases: Sequence[Phrase]) -> tuple[LocatedPhrase, ...]:
    """Finds each phrase in the caption; no two phrases get the same span.

    Phrases with the same text are given its places from left to right. If several places fit, the one
    at the claimed offset comes first, then those that no longer phrase covers, then the nearest to the
    claim, then the leftmost. In scripts that separate words, a place begins and ends at a word's edge.

    Returns:
        One result per phrase, in order. A span is not empty, has no white space at its edges, and
        cuts no grapheme cluster.

    >>> locate_phrases("A dog and a dog", [Phrase("a dog"), Phrase("a  dog")])
    (LocatedPhrase(status='exact', char_span=(10, 15)), LocatedPhrase(status='repaired', char_span=(0, 5)))
    """
    places = CaptionPlaces(caption)
    located = [LocatedPhrase("dropped", None)] * len(phrases)
    taken: set[Span] = set()
    waiting = sorted(range(len(phrases)), key=lambda i: len(phrases[i].text), reverse=True)
    for stage in (places.exact, places.folded, places.close):
        missing: list[int] = []
        for index in waiting:
            quote = trimmed(phrases[index].text)
            span = _choose(stage(quote), taken, phrases[index].claimed_start)
            if span is None:
                missing.append(index)
            else:
                status = "exact" if caption[slice(*span)] == quote else "repaired"
                located[index] = LocatedPhrase(status, span)
                taken.add(span)
        waiting = missing
    return tuple(located)


def to_expressions(caption: str, phrases: Sequence[Phrase]) -> SpannedExpressions:
    """The phrases that stand in the caption as expressions, by start, then end.

    A noun chunk that is missing, or no part of the expression's text, is replaced by that text without
    its leading article.

    >>> found = to_expressions("A red car.", [Phrase("a red car", "car"), Phrase("two trees")])
    >>> found.expressions[0].text, found.expressions[0].noun_chunk, found.repaired, found.dropped
    ('A red car', 'car', 1, ('two trees',))
    """
    expressions: list[Expression] = []
    dropped: list[str] = []
    for phrase, place in zip(phrases, locate_phrases(caption, phrases), strict=True):
        if place.char_span is None or place.status == "dropped":
            dropped.append(phrase.text)
            continue
        text = caption[slice(*place.char_span)]
        chunk = _noun_chunk(phrase.noun_chunk, text)
        expressions.append(Expression(text, place.char_span, chunk, span_status=place.status))
    expressions.sort(key=lambda expression: expression.char_span)
    repaired = sum(expression.span_status == "repaired" for expression in expressions)
    return SpannedExpressions(tuple(expressions), repaired, tuple(dropped))


def _choose(places: Sequence[Span], taken: set[Span], claimed: int | None) -> Span | None:
    def preference(place: Span) -> tuple[bool, bool, int, int]:
        start, end = place
        covered = any(s <= start and end <= e for s, e in taken)
        distance = 0 if claimed is None else abs(start - claimed)
        return (start != claimed, covered, distance, start)

    return min((place for place in places if place not in taken), key=preference, default=None)


def _noun_chunk(stated: str | None, text: str) -> str:
    chunk = trimmed(stated or "")
    if chunk and (chunk in text or fold(chunk).text in fold(text).text):
        return chunk
    return without_article(text)
