"""Which of the expressions that were asked for an entry of a reply speaks of.

An entry that fits none is counted, and never given to a neighbour.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from grounding_assets.core.boxes.coordinates import RawBox
from grounding_assets.core.replies.parsed import ParsedGrounding, ReplyEntry
from grounding_assets.core.spans.folding import comparison_key


@dataclass(frozen=True, slots=True)
class MatchedExpression:
    """All that a reply says of one expression."""

    mentioned: bool = False
    """False where no entry speaks of it; True without boxes where one says that there are none."""
    boxes: tuple[RawBox, ...] = ()
    scores: tuple[float | None, ...] = ()
    complete: bool = True
    """False where the reply was cut, or became unreadable, while it spoke of it: boxes may be missing."""
    unreadable: int = 0
    """Boxes that are there but cannot be read: without other boxes, this is not "none seen"."""


@dataclass(frozen=True, slots=True)
class MatchResult:
    """One `MatchedExpression` for each that was asked for, in order."""

    per_expression: tuple[MatchedExpression, ...]
    unmatched_boxes: int
    """Boxes of entries that fit no expression, or several different ones."""


def match_entries(parsed: ParsedGrounding, expressions: Sequence[tuple[str, str]]) -> MatchResult:
    """Gives each entry to the expression that it names.

    By id; else by a label that is an expression's exact text; else by a label that is an id; else by text
    that differs in case, white space, quotes, edge punctuation or a leading article alone, if all
    expressions that fit have the same text.

    Several expressions may have the same text. Entries that name them by that text go to them from left to right
    if there is one for each; otherwise all such entries go to each of them, since what is said of a text
    holds wherever it stands.

    Args:
        expressions: (id, text) pairs as they were asked for; ids are unique.

    >>> parsed = ParsedGrounding((ReplyEntry(None, ("the red car",), ((1, 2, 3, 4),), (None,)),))
    >>> match_entries(parsed, [("e0", "A red car"), ("e1", "a tree")]).per_expression[0].boxes
    ((1, 2, 3, 4),)
    """
    index = _Index(expressions)
    of_one: defaultdict[int, list[ReplyEntry]] = defaultdict(list)
    of_several: defaultdict[tuple[int, ...], list[ReplyEntry]] = defaultdict(list)
    unmatched = 0
    for entry in parsed.entries:
        targets = index.targets(entry)
        if not targets:
            unmatched += len(entry.boxes)
        elif len(targets) == 1:
            of_one[targets[0]].append(entry)
        else:
            of_several[targets].append(entry)
    for targets, entries in of_several.items():
        one_each = len(entries) == len(targets)
        for position, target in enumerate(targets):
            of_one[target].extend([entries[position]] if one_each else entries)
    return MatchResult(tuple(_merged(of_one[i]) for i in range(len(expressions))), unmatched)


class _Index:
    """Positions of the expressions by each thing that can name them."""

    def __init__(self, expressions: Sequence[tuple[str, str]]):
        self._by_id = {expression_id: (i,) for i, (expression_id, _) in enumerate(expressions)}
        texts = [text for _, text in expressions]
        self._by_text = _positions(texts)
        by_key = _positions(map(comparison_key, texts))
        self._by_key = {
            key: found for key, found in by_key.items() if len({texts[i] for i in found}) == 1 and key
        }

    def targets(self, entry: ReplyEntry) -> tuple[int, ...]:
        """Positions of the expressions that the entry speaks of: none, one, or all of one text."""
        own_id = entry.expression_id
        if own_id is not None and own_id in self._by_id:
            return self._by_id[own_id]
        labels = entry.labels if own_id is None else (*entry.labels, own_id)
        for lookup in (self._by_text, self._by_id):
            for label in labels:
                if label in lookup:
                    return lookup[label]
        for label in labels:
            if found := self._by_key.get(comparison_key(label)):
                return found
        return ()


def _positions(names: Iterable[str]) -> dict[str, tuple[int, ...]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for position, name in enumerate(names):
        found[name].append(position)
    return {name: tuple(positions) for name, positions in found.items()}


def _merged(entries: Sequence[ReplyEntry]) -> MatchedExpression:
    return MatchedExpression(
        mentioned=bool(entries),
        boxes=tuple(box for entry in entries for box in entry.boxes),
        scores=tuple(score for entry in entries for score in entry.scores),
        complete=all(entry.complete for entry in entries),
        unreadable=sum(entry.unreadable for entry in entries),
    )
