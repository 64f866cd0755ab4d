"""Which of a reply's statements about one expression counts, and whether they contradict each other.

Which expression a statement speaks of is decided by `matching`.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from grounding_assets.core.boxes.coordinates import RawBox
from grounding_assets.core.replies.parsed import ReplyEntry, Statement
from grounding_assets.core.replies.wording import puts_aside, takes_back

Mention = tuple[Statement, ReplyEntry]


@dataclass(frozen=True, slots=True)
class MatchedExpression:
    """What a reply says of one expression, in the last statement that speaks of it."""

    mentioned: bool = False
    """False if no entry speaks of it; True without boxes where one says that there are none."""
    boxes: tuple[RawBox, ...] = ()
    scores: tuple[float | None, ...] = ()
    unreadable: int = 0
    """Boxes that are there but cannot be read: the expression may have more than `boxes`."""
    contradictory: bool = False
    """Two lines of different passages, or two lists of one document, give it different boxes, and neither says that
    it corrects the other."""


def spoken_of(of_one: Mapping[int, Sequence[Mention]]) -> dict[int, set[int]]:
    """The expressions that each statement speaks of."""
    spoken: defaultdict[int, set[int]] = defaultdict(set)
    for position, mentions in of_one.items():
        for statement, _ in mentions:
            spoken[id(statement)].add(position)
    return spoken


def joined(mentions: Sequence[Mention], spoken: Mapping[int, set[int]]) -> MatchedExpression:
    """What the statements that count say of one expression."""
    counting = [entry for _, entry in last_of(mentions)]
    return MatchedExpression(
        mentioned=bool(mentions),
        boxes=tuple(box for entry in counting for box in entry.boxes),
        scores=tuple(score for entry in counting for score in entry.scores),
        unreadable=sum(entry.unreadable for entry in counting),
        contradictory=_ends_aside(mentions)
        or _in_two_places(counting)
        or any(_contradicts(*pair, spoken) for pair in pairwise(_told_together(mentions))),
    )


def last_of(mentions: Sequence[Mention]) -> list[Mention]:
    """The last statement's mentions, with the lines before it that it adds to."""
    counting: list[Mention] = []
    for statement, entry in mentions:
        previous = counting[-1][0] if counting else None
        if (
            previous is not None
            and statement is not previous
            and not _adds_up(counting[-1], (statement, entry))
        ):
            counting = []
        counting.append((statement, entry))
    return counting


def _adds_up(earlier: Mention, later: Mention) -> bool:
    """Whether two lines are two boxes of one thing, rather than one box said twice."""
    (first, one), (second, other) = earlier, later
    if not (first.is_line and second.is_line) or _says(takes_back, earlier, later):
        return False
    return first.passage == second.passage or one.labels != other.labels


def _says(what: Callable[[str], bool], earlier: Mention, later: Mention) -> bool:
    """Whether the words before a mention say something, rather than the name that it has in common with the earlier one."""
    (_, one), (statement, other) = earlier, later
    said = statement.takes_back if what is takes_back else statement.is_aside
    return said and not (one.labels == other.labels and any(map(what, other.labels)))


def _ends_aside(mentions: Sequence[Mention]) -> bool:
    """Whether the last document is not the answer by its heading, and an earlier one says otherwise."""
    return any(
        _says(puts_aside, earlier, later) and earlier[1].boxes != later[1].boxes
        for earlier, later in pairwise(mentions)
    )


def _contradicts(
    earlier: Sequence[Mention], following: Sequence[Mention], spoken: Mapping[int, set[int]]
) -> bool:
    """Whether what follows gives other boxes, and does not say that it corrects the earlier ones.

    Lines do if they have the same name. A document does, or what follows it, if it speaks of less, or of as little
    without a word between: it may be an example, or more boxes.
    """
    (first, one), (later, other) = earlier[-1], following[0]
    if _boxes_of(earlier) == _boxes_of(following):
        return False
    if first.is_line and later.is_line:
        return one.labels == other.labels and not _says(takes_back, earlier[-1], following[0])
    if later.takes_back:
        return False
    before, now = spoken[id(first)], spoken[id(later)]
    side_by_side = first.passage == later.passage
    return now < before or (now == before and side_by_side and now != set().union(*spoken.values()))


def _in_two_places(entries: Sequence[ReplyEntry]) -> bool:
    """Whether one document gives different boxes in different lists, such as a first and a final attempt."""
    boxes: defaultdict[int, list[RawBox]] = defaultdict(list)
    for entry in entries:
        boxes[entry.place] += entry.boxes
    return len({tuple(sorted(of_place)) for of_place in boxes.values()}) > 1


def _told_together(mentions: Sequence[Mention]) -> list[list[Mention]]:
    """The mentions of each document, and those of the lines that follow each other in a passage."""
    groups = groupby(
        mentions, lambda said: (said[0].passage, True) if said[0].is_line else (id(said[0]), False)
    )
    return [list(group) for _, group in groups]


def _boxes_of(mentions: Sequence[Mention]) -> list[RawBox]:
    return sorted(box for _, entry in mentions for box in entry.boxes)
