"""What an endpoint turned out to take: learned from its refusals, kept only if the changed request worked.

A lesson changes the request that was refused. It is kept for others only if the refusal was about a parameter
that no request has been accepted with; so what one sample's answer quotes changes nothing for another.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from resources.vlm.refusals import Refusal

LEVELS = ("json_schema", "json_object", "plain")
"""Structured output, from the strictest to none."""
_STEP_DOWN_ON = (400, 404, 405, 415, 422, 500, 501)
_REFUSES = re.compile(
    r"not (supported|permitted|allowed|enabled|available|recognized|accepted|valid)|unsupported|unknown|unrecognized|"
    r"unexpected|does ?n[o']t (support|allow|accept)|extra (inputs|fields)|invalid|deprecated|only the default|"
    r"no such|cannot|can only|only works|incompatible|must be|removed"
)
_STRUCTURE = re.compile(
    r"response_?format|json[_ ]?schema|json[_ ]object|json mode|response_?(json_?)?schema|response_?mime|grammar|"
    r"guided|structured|schema|constrain"
)
_TOO_LARGE = re.compile(
    r"too (large|high|big|many)|at most|exceed\w*|maximum|max(imum)? (value|allowed)|less than|lower than|greater than|"
    r"range|supports? up to|[<>]=? ?\d|longer than|limit|范围"
)
_CONTEXT = re.compile(r"(?:context (?:length|window|size)[^\d]{0,30}|tokens \+ \S{1,40} must be <= ?)(\d+)")
_INPUT = re.compile(
    r"(\d+) (?:`?inputs?`? tokens|in the messages|tokens from the input|prompt tokens|of text input)|"
    r"(?:prompt|input)[^\d]{0,40}?(\d+) (?:input )?tokens"
)
_LEAST_TOKENS = 64
_ENOUGH_TO_BE_NO_CHANCE = 2


def _as_named(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w]){re.escape(name.lower())}(?![\w])")


@dataclass(frozen=True)
class Manners:
    """How an endpoint wants to be asked. Immutable: a lesson makes another one, which is tried first."""

    level: str = "json_schema"
    """Structured output for schemas that nothing is known of."""
    levels: Mapping[str, str] = field(default_factory=dict)
    """By schema, if it differs."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()
    ceiling: int = 0
    """Most tokens of a reply that may be asked for; 0: not known."""
    fixed_level: bool = False
    """Whether the spec forces the level."""

    @classmethod
    def from_learned(cls, learned: Mapping[str, Any], forced_level: str = "auto") -> "Manners":
        """From what an earlier client learned; empty: nothing yet."""
        forced = {"level": forced_level, "fixed_level": True} if forced_level != "auto" else {}
        try:
            known = cls(
                str(learned.get("level", "json_schema")),
                dict(learned.get("levels", {})),
                dict(learned.get("renamed", {})),
                frozenset(learned.get("dropped", ())),
                int(learned.get("ceiling", 0)),
            )
        except (TypeError, ValueError):
            known = cls()
        if known.level not in LEVELS or not set(known.levels.values()) <= set(LEVELS):
            known = replace(known, level="json_schema", levels={})
        return replace(known, levels={}, **forced) if forced else known

    def to_learned(self) -> dict[str, Any]:
        return {
            "level": self.level,
            "levels": dict(self.levels),
            "renamed": dict(self.renamed),
            "dropped": sorted(self.dropped),
            "ceiling": self.ceiling,
        }

    def in_words(self) -> Iterator[str]:
        """What differs from how any endpoint is asked at first, for the user."""
        for name, level in sorted(self.levels.items()):
            yield f"structured output of replies with {name.replace(',', ', ')}: {level}"
        yield from (f"{name} is sent as {other}" for name, other in sorted(self.renamed.items()))
        yield from (f"{name} is left out" for name in sorted(self.dropped))
        if self.ceiling:
            yield f"at most {self.ceiling} tokens are asked for"

    def level_of(self, schema: Mapping[str, Any] | None) -> str:
        return self.levels.get(schema_name(schema), self.level) if schema is not None else "plain"

    def adapt(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {
            self.renamed.get(name, name): value for name, value in fields.items() if name not in self.dropped
        }

    def capped(self, max_tokens: int) -> int:
        return min(max_tokens, self.ceiling) if self.ceiling else max_tokens


def schema_name(schema: Mapping[str, Any] | None) -> str:
    """What tells the few schemas of this project apart."""
    return ",".join(schema.get("properties", ())) if schema is not None else ""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A change of manners, and what it is about."""

    manners: Manners
    about: str
    """A parameter's name, `ceiling`, or the level that was refused."""
    for_this_request_only: bool = False
    may_be_chance: bool = False
    """The refusal said nothing of what is changed: an endpoint in trouble would have answered the same."""


class Teachable:
    """Draws lessons from the refusals of one endpoint, and keeps those that helped."""

    def __init__(
        self,
        manners: Manners,
        token_limits: Sequence[str],
        spoken_of_as: Mapping[str, re.Pattern[str]] | None = None,
    ):
        """`token_limits` are the names that the limit of a reply may have, the usual one first; `spoken_of_as`
        tells how refusals name a field if they do not use its name, in lower case.
        """
        self.manners = manners
        self._token_limits = tuple(token_limits)
        limits = [
            *map(str.lower, token_limits),
            "max[_ ]?((output|completion|new)[_ ]?)?tokens",
            "maximum tokens",
        ]
        self._limit = re.compile("|".join(limits))
        """How refusals speak of the limit of a reply."""
        self._spoken_of_as = spoken_of_as or {}
        self._accepted: set[str] = set()
        """Parameters, and "level schema" pairs, that a request has been accepted with."""
        self._server_errors: Counter[int] = Counter()
        """By request, while it may be that its schema is what the server fails at."""
        self._helped_by_chance = 0

    def accept(
        self,
        manners: Manners,
        lessons: Sequence[Lesson],
        names: Sequence[str],
        schema: Mapping[str, Any] | None,
    ) -> None:
        """A request made with these manners and fields has worked."""
        self._accepted.update(names)
        by_chance = any(lesson.may_be_chance for lesson in lessons)
        self._helped_by_chance += by_chance
        if schema is not None and (not by_chance or self._helped_by_chance >= _ENOUGH_TO_BE_NO_CHANCE):
            self._keep_level(manners.level_of(schema), schema_name(schema), learned=bool(lessons))
        for lesson in lessons:
            if lesson.for_this_request_only or lesson.about in self._accepted or lesson.about in LEVELS:
                continue
            learned = lesson.manners
            self.manners = replace(
                self.manners,
                renamed={**self.manners.renamed, **learned.renamed},
                dropped=self.manners.dropped | learned.dropped,
                ceiling=learned.ceiling or self.manners.ceiling,
            )

    def _keep_level(self, level: str, name: str, *, learned: bool) -> None:
        known, key = self.manners, f"{level} {name}"
        if known.fixed_level or key in self._accepted:
            return
        stricter = LEVELS[: LEVELS.index(level)]
        if any(f"{other} {name}" in self._accepted for other in stricter):
            return
        self._accepted.add(key)
        elsewhere = any(accepted.startswith(stricter) for accepted in self._accepted)
        if learned and not elsewhere:
            # nothing stricter has ever worked here: what is new begins at this level
            self.manners = replace(
                known, level=level, levels={n: lv for n, lv in known.levels.items() if lv != level}
            )
        elif known.levels.get(name, known.level) != level:
            self.manners = replace(known, levels={**known.levels, name: level})

    def lesson(
        self, refusal: Refusal, manners: Manners, fields: Mapping[str, Any], schema: Mapping[str, Any] | None
    ) -> Lesson | None:
        """What to change in a request that was refused; None if the refusal teaches nothing.

        `fields` are what of the request could be left out, as they were sent.
        """
        if refusal.status in (400, 404, 422):
            found = self._ceiling(refusal, manners, fields) or self._parameter(refusal, manners, fields)
            if found is not None:
                return found
        return self._step_down(refusal, manners, schema)

    def _ceiling(self, refusal: Refusal, manners: Manners, fields: Mapping[str, Any]) -> Lesson | None:
        sent = next((fields[name] for name in self._token_limits if type(fields.get(name)) is int), None)
        words = refusal.own_words
        context = _CONTEXT.search(words.replace(",", ""))
        named = refusal.parameters & set(self._token_limits) or refusal.says(self._limit)
        if sent is None or not (context or named) or not refusal.says(_TOO_LARGE):
            return None
        if context:
            given = _INPUT.search(words.replace(",", ""))
            room = int(context.group(1)) - int(next(filter(None, given.groups()))) if given else sent // 2
            ceiling = room if _LEAST_TOKENS <= room < sent else sent // 2
        else:
            plain = re.sub(r"(?<=\d)[,_](?=\d{3})", "", words)
            numbers = [int(digits) for digits in re.findall(r"(?<![\w.-])\d{2,9}(?![\w.-]*\w)", plain)]
            exclusive = re.search(r"(\d+) \(exclusive\)|less than (\d+)", words)
            fitting = [number for number in numbers if _LEAST_TOKENS <= number < sent]
            if not fitting and sent not in numbers:
                return None
            ceiling = max(fitting, default=sent // 2)
            ceiling -= bool(exclusive and str(ceiling) in filter(None, exclusive.groups()))
        if ceiling < _LEAST_TOKENS:
            return None
        # what is left of a context differs from request to request
        return Lesson(replace(manners, ceiling=ceiling), "ceiling", for_this_request_only=bool(context))

    def _parameter(self, refusal: Refusal, manners: Manners, fields: Mapping[str, Any]) -> Lesson | None:
        names = {sent_as: name for name, sent_as in manners.renamed.items()}
        for sent_as in fields:
            name = names.get(sent_as, sent_as)
            if not self._is_about(refusal, name, sent_as):
                continue
            once = sent_as in self._accepted
            if sent_as in self._token_limits:
                others = [other for other in self._token_limits if other not in (name, sent_as)]
                if others:
                    # never left out as long as it can be said in another way: it limits what a reply costs
                    renamed = {**manners.renamed, name: others[0]}
                    return Lesson(replace(manners, renamed=renamed), sent_as, once)
                if once:
                    continue
            return Lesson(replace(manners, dropped=manners.dropped | {name}), sent_as, once)
        return None

    def _is_about(self, refusal: Refusal, name: str, sent_as: str) -> bool:
        if {name, sent_as} & refusal.parameters:
            return True
        if not refusal.says(_REFUSES):
            return False
        return refusal.says(self._spoken_of_as.get(name) or _as_named(sent_as))

    def _step_down(
        self, refusal: Refusal, manners: Manners, schema: Mapping[str, Any] | None
    ) -> Lesson | None:
        level = manners.level_of(schema)
        if manners.fixed_level or level == LEVELS[-1] or refusal.status not in _STEP_DOWN_ON:
            return None
        name = schema_name(schema)
        if f"{level} {name}" in self._accepted:
            return None
        speaks_of_it = refusal.says(_STRUCTURE) or "response_format" in refusal.parameters
        if not speaks_of_it:
            if refusal.status == 404:
                return None
            if refusal.status == 500:
                # the same request is first tried again as it is
                self._server_errors[hash(refusal.asked)] += 1
                if self._server_errors[hash(refusal.asked)] < _ENOUGH_TO_BE_NO_CHANCE:
                    return None
        lower = LEVELS[LEVELS.index(level) + 1]
        learned = replace(manners, levels={**manners.levels, name: lower})
        return Lesson(learned, level, may_be_chance=refusal.status == 500 and not speaks_of_it)
