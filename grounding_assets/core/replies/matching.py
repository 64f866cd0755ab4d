"""Which of the expressions that were asked for a reply speaks of, and which of its statements counts.

An entry that fits none is counted, and never given to a neighbour. Whether what is left can be accepted is
decided by `core.annotation.grounding_reply`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from grounding_assets.core.replies.counting import MatchedExpression, Mention, joined, last_of, spoken_of
from grounding_assets.core.replies.names import IdNumber, id_number, key_of, number_key, readings
from grounding_assets.core.replies.parsed import Named, ParsedGrounding, ReplyEntry, Statement
from grounding_assets.core.replies.wording import content

MAX_LABELS = 5
"""How many labels of boxes that fit nothing are kept, to be shown."""

_Naming = tuple[tuple[int, ...] | None, tuple[int, ...], IdNumber | None]
"""(positions by text, None if texts disagree; positions by id; the id's number)."""


@dataclass(frozen=True, slots=True)
class MatchResult:
    """One `MatchedExpression` for each that was asked for, in order, and what belongs to none of them."""

    per_expression: tuple[MatchedExpression, ...]
    unmatched_boxes: int = 0
    """Boxes of entries that fit no expression, or several different ones."""
    unmatched_labels: tuple[str, ...] = ()
    """The first `MAX_LABELS` different labels of those entries; "" stands for boxes without a name."""
    superseded: int = 0
    """Entries that a later statement replaced, such as a draft before the final answer."""
    repairs: int = 0
    """Departures from JSON that were put right."""


def match_entries(parsed: ParsedGrounding, expressions: Sequence[tuple[str, str]]) -> MatchResult:
    """Gives each entry to the expression that it names; of several statements about one, the last counts.

    An entry's texts decide before its id: by a label that is an expression's text, then one that differs in
    case, white space, quotes, edge punctuation or a leading article, then in numbers as words or digits, with
    an id before it or an index behind it. Ids count where no text of the reply contradicts one. A box
    without a name belongs to the expression where only one was asked for and nothing names it.

    Several expressions may have the same text. Entries that name them by that text go to them from left to right
    if there is one for each; otherwise all such entries go to each of them, since what is said of a text
    holds wherever it stands.

    Args:
        expressions: (id, text) pairs as they were asked for; ids are unique.

    >>> from grounding_assets.core.replies.grounding import parse_grounding
    >>> parsed = parse_grounding('[{"label": "the red car", "bbox": [1, 2, 3, 4]}]')
    >>> match_entries(parsed, [("e0", "A red car"), ("e1", "a tree")]).per_expression[0].boxes
    ((1.0, 2.0, 3.0, 4.0),)
    """
    index = _Index(expressions)
    mentions = [(statement, entry) for statement in parsed.statements for entry in statement.entries]
    targets = index.targets([entry for _, entry in mentions])
    if len(expressions) == 1 and not any(targets):
        targets = [(0,) if may_be_the_only_one(entry) else () for _, entry in mentions]
    of_one, unmatched = _shared_out(mentions, targets)
    spoken = spoken_of(of_one)
    matched = [joined(of_one[i], spoken) for i in range(len(expressions))]
    if len(expressions) == 1 and not mentions and any(statement.says_none for statement in parsed.statements):
        matched = [MatchedExpression(mentioned=True)]
    kept = sum(len(last_of(of_one[i])) for i in range(len(expressions)))
    labels = dict.fromkeys(entry.label or "" for entry in unmatched if entry.boxes)
    return MatchResult(
        tuple(matched),
        sum(len(entry.boxes) for entry in unmatched),
        tuple(labels)[:MAX_LABELS],
        superseded=sum(map(len, of_one.values())) - kept,
        repairs=parsed.repairs,
    )


def may_be_the_only_one(entry: ReplyEntry) -> bool:
    """Whether nothing but the question says what an entry speaks of: words above it need not be its name."""
    return entry.is_unnamed or (entry.expression_id is None and entry.named is Named.ABOVE)


def _shared_out(
    mentions: Sequence[Mention], targets: Sequence[tuple[int, ...]]
) -> tuple[defaultdict[int, list[Mention]], list[ReplyEntry]]:
    """The mentions of each expression in order, and the entries that fit none."""
    of_one: defaultdict[int, list[Mention]] = defaultdict(list)
    groups = [(fitting, _group(statement)) for fitting, (statement, _) in zip(targets, mentions, strict=True)]
    sizes, given = Counter(groups), Counter[tuple[tuple[int, ...], int]]()
    unmatched: list[ReplyEntry] = []
    for mention, group in zip(mentions, groups, strict=True):
        fitting = group[0]
        if not fitting:
            unmatched.append(mention[1])
        elif sizes[group] == len(fitting):
            of_one[fitting[given[group]]].append(mention)
            given[group] += 1
        else:
            for position in fitting:
                of_one[position].append(mention)
    return of_one, unmatched


def _group(statement: Statement) -> int:
    """What is shared out together: the entries of a document, the lines of a passage."""
    return -1 - statement.passage if statement.is_line else id(statement)


class _Index:
    """Positions of the expressions by each thing that can name them."""

    def __init__(self, expressions: Sequence[tuple[str, str]]):
        self._by_id = {name: (i,) for i, (name, _) in enumerate(expressions)}
        numbers = [id_number(name) for name, _ in expressions]
        self._by_number = {found.number: (i,) for i, found in enumerate(numbers) if found}
        texts = [text for _, text in expressions]
        self._by_text = _positions(texts)
        self._by_key: list[tuple[Callable[[str], str], dict[str, tuple[int, ...]]]] = [
            (key, _unambiguous(texts, key)) for key in (key_of, number_key)
        ]
        self._by_content = _unambiguous(texts, lambda text: " ".join(content(text)))

    def targets(self, entries: Sequence[ReplyEntry]) -> list[tuple[int, ...]]:
        """Positions of the expressions that each entry speaks of: none, one, or all of one text."""
        named = [self._named(entry) for entry in entries]
        bare = {found.number for _, _, found in named if found and found.bare}
        trusted = True
        for by_text, by_id, found in named:
            if by_text and (found or by_id) and not set(by_id) & set(by_text):
                trusted = False
        chosen: list[tuple[int, ...]] = []
        for by_text, by_id, found in named:
            if by_text is None:
                chosen.append(())
            elif by_text:
                chosen.append(by_id if trusted and by_id and set(by_id) <= set(by_text) else by_text)
            else:
                counted_from_one = found is not None and found.bare and 0 not in bare
                chosen.append(by_id if trusted and not counted_from_one else ())
        return chosen

    def _named(self, entry: ReplyEntry) -> _Naming:
        """What an entry names; its owner goes before an id of its own, which is then the index of a box."""
        own = self._named_by(entry)
        if not entry.owner:
            return own
        by_text, by_id, found = self._named_by(replace(entry, expression_id=None, labels=entry.owner))
        if own[0] and by_text and not set(own[0]) & set(by_text):
            return None, by_id, found
        if by_text or (found is not None and not found.bare):
            return by_text or own[0], by_id, found
        return own

    def _named_by(self, entry: ReplyEntry) -> _Naming:
        by_id, found = self._of_id(entry.expression_id)
        labels = entry.labels if entry.expression_id is None else (*entry.labels, entry.expression_id)
        by_text: tuple[int, ...] = ()
        for label in labels:
            fitting, beside = self._of_label(label, spoken=entry.named is not Named.ITSELF)
            if fitting and by_text and not set(fitting) & set(by_text):
                return None, by_id, found
            by_text = by_text or fitting
            if not by_id and found is None and beside is not None:
                by_id, found = self._by_number.get(beside.number, ()), beside
        return by_text, by_id, found

    def _of_id(self, name: str | None) -> tuple[tuple[int, ...], IdNumber | None]:
        if name is None:
            return (), None
        if name in self._by_id:
            return self._by_id[name], None
        found = id_number(name)
        return (self._by_number.get(found.number, ()), found) if found else ((), None)

    def _of_label(self, label: str, *, spoken: bool) -> tuple[tuple[int, ...], IdNumber | None]:
        """The expressions that a label is the text of, and the id that it is or holds."""
        beside: IdNumber | None = None
        for reading in readings(label):
            beside = beside or reading.id
            if reading.text in self._by_text:
                return self._by_text[reading.text], beside
            for key, positions in self._by_key:
                if fitting := positions.get(key(reading.text)):
                    return fitting, beside
        if spoken and "|" not in label and (fitting := self._by_content.get(" ".join(content(label)))):
            return fitting, beside
        return (), beside or id_number(label)


def _unambiguous(texts: Sequence[str], key: Callable[[str], str]) -> dict[str, tuple[int, ...]]:
    """Positions by key, without keys that different texts share."""
    found = _positions(map(key, texts))
    return {name: at for name, at in found.items() if name and len({texts[i] for i in at}) == 1}


def _positions(names: Iterable[str]) -> dict[str, tuple[int, ...]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for position, name in enumerate(names):
        found[name].append(position)
    return {name: tuple(positions) for name, positions in found.items()}
