"""What an endpoint's refusal means: from status and words to one of the named troubles, by one table.

`docs/errors.md` prints the table. Words count only if they are the endpoint's own: bodies quote what was sent.
"""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from grounding_assets.core.annotation.calls import Trouble
from grounding_assets.core.errors import Reason

_WORD_FIELDS = ("message", "msg", "code", "type", "status", "reason", "title", "detail", "error", "description",
                "errors", "details", "error_msg", "error_code", "quotaId", "violations", "metadata", "raw", "base_resp",
                "status_msg")  # fmt: skip
"""Where a body says something of its own. Not `input`, `body` or `ctx`, which hold what was sent."""
_LONGEST_TEXT = 20_000
_MOST_BRACKETS = 500_000


def loaded(body: bytes) -> Any:
    """The JSON of a body.

    Raises:
        ValueError: it is none.
        RecursionError, MemoryError, OverflowError: it is made to do harm.
    """
    if len(body) > 1 << 20 and body.count(b"[") + body.count(b"{") + body.count(b",") > _MOST_BRACKETS:
        raise OverflowError("too many values")
    return json.loads(body)


@dataclass(frozen=True)
class Refusal:
    """An error of an endpoint, in its own words."""

    status: int
    document: Any
    """The body as JSON; a text if it is none."""
    asked: str
    """The texts of the request, in lower case."""
    retry_after_s: float | None = None

    @cached_property
    def text(self) -> str:
        """All that the endpoint says, without what it quotes field by field, on one line."""
        words = self.document if isinstance(self.document, str) else " ".join(_words(self.document, 0))
        return " ".join(words[:_LONGEST_TEXT].split())

    @cached_property
    def own_words(self) -> str:
        return self.text.lower()

    def says(self, pattern: re.Pattern[str]) -> bool:
        """Whether the pattern is found in words that do not stand in the request."""
        return any(found.group() not in self.asked for found in pattern.finditer(self.own_words))

    @cached_property
    def parameters(self) -> frozenset[str]:
        """What the body names as the parameter at fault, in a field of its own."""
        return frozenset(_parameters(self.document, 0))


def document_of(body: bytes) -> Any:
    """Raises nothing: what is no JSON is taken as text, whatever charset the headers name."""
    try:
        return loaded(body)
    except (ValueError, RecursionError, MemoryError, OverflowError):
        return re.sub(r"<[^<>]{0,200}>", " ", body[:_LONGEST_TEXT].decode("utf-8", "replace"))


def _words(node: Any, depth: int) -> Iterator[str]:
    if depth > 8:
        return
    if isinstance(node, str):
        yield from _unpacked(node, depth)
    elif isinstance(node, list):
        for part in node[:50]:
            yield from _words(part, depth + 1)
    elif isinstance(node, dict):
        for name, part in node.items():
            if name in _WORD_FIELDS:
                yield from ([str(part)] if type(part) is int and name == "code" else _words(part, depth + 1))
        yield from (".".join(map(str, node["loc"])) for _ in [0] if isinstance(node.get("loc"), list))


def _unpacked(text: str, depth: int) -> Iterator[str]:
    """A gateway may put the body of the endpoint behind it into a string."""
    if text.lstrip()[:1] == "{" and len(text) < _LONGEST_TEXT:
        try:
            yield from _words(json.loads(text), depth + 1)
            return
        except (ValueError, RecursionError):
            pass
    yield text


def _parameters(node: Any, depth: int) -> Iterator[str]:
    if depth > 5:
        return
    if isinstance(node, list):
        for part in node[:50]:
            yield from _parameters(part, depth + 1)
    elif isinstance(node, dict):
        if isinstance(node.get("param"), str):
            yield re.split(r"[.\[]", node["param"])[0]
        if isinstance(node.get("loc"), list):
            path = [str(part) for part in node["loc"] if part != "body"]
            yield from path[:1]
        for name in ("error", "detail", "errors"):
            yield from _parameters(node.get(name), depth + 1)


@dataclass(frozen=True, slots=True)
class Sign:
    """One row of the table: where status and words fit, the trouble is known. The first row that fits counts."""

    when: str
    """In words, for the documentation."""
    statuses: Collection[int]
    trouble: Trouble
    says: re.Pattern[str] | None = None
    """In lower case; None: whatever the words."""
    reason: Reason = Reason.ENDPOINT_ERROR
    no_short_wait: bool = False
    """Whether the endpoint must not ask to wait for less than an hour."""
    is_about_key: bool = False

    def fits(self, refusal: Refusal) -> bool:
        if refusal.status not in self.statuses:
            return False
        if self.no_short_wait and 0 < (refusal.retry_after_s or 0) <= 3600:
            return False
        return self.says is None or refusal.says(self.says)


_ANY_ERROR, _CLIENT, _SERVER = range(200, 600), range(400, 500), range(500, 600)
_NO_PICTURE = (
    r"(?!\W+(?:\w+\W+){0,3}(?:image|picture|photo|multi-?modal|media|video|file|url|data|processor)s?\b)"
)
"""What servers say of one picture that cannot be read, in the words that they have for a model."""
SIGNS: tuple[Sign, ...] = (
    Sign(
        "the words name a closed account (`account deactivated`, `organization has been disabled`)",
        _CLIENT,
        Trouble.ACCOUNT,
        re.compile(
            r"(account|organi[sz]ation|workspace) [\w ]{0,40}(deactivated|disabled|suspended|terminated|frozen)|account_deactivated"
        ),
    ),
    Sign(
        "the words name credit, balance or a quota that is used up (`insufficient_quota`, `insufficient balance`)",
        _ANY_ERROR,
        Trouble.ACCOUNT,
        re.compile(r"insufficient[_ ](quota|credit|balance|fund)\w*|budget_exceeded|余额不足|欠费"),
    ),
    Sign(
        "4xx, or 200 without an answer, whose words speak of credit, billing, a budget or a day's quota (`credit balance is too low`)",
        (200, *_CLIENT),
        Trouble.ACCOUNT,
        re.compile(
            r"(credit|account|overdue) balance|(out of|no|any|not enough|more|all available) credits|credit[ _]limit|overdue\w*|"
            r"billing[_ ](hard|not|issue|account|limit)\w*|payment required|quota (has been |is )?(exhausted|used up)|"
            r"out of (\w+ ){0,2}quota|arrear\w*|budget has been exceeded|exceeded[ _]?budget|spend(ing)? (limit|cap)|"
            r"perday\w*|-per-day\b|usage limit (has been )?(reached|exceeded)|usage limits?\b.{0,40} regain access"
        ),
    ),
    Sign("402", (402,), Trouble.ACCOUNT),
    Sign(
        "429 that speaks of the plan or the current quota, and asks for no wait of less than an hour",
        (429,),
        Trouble.ACCOUNT,
        re.compile(r"current quota|check your plan|quota exceeded for"),
        no_short_wait=True,
    ),
    Sign(
        "the words name moderation or a content filter (`content_filter`, `flagged`, `requires moderation`)",
        (200, *_CLIENT),
        Trouble.SAMPLE,
        re.compile(
            r"content[_ -]?(filter|policy|management|moderation|safety|inspection)\w*|moderat(ion|ed)|\bflagged\b|responsible ?ai\w*|"
            r"data_?inspection\w*|inappropriate|safety[_ -]?(system|filter|polic|check|setting|guard|reason|violation)\w*|"
            r"image_?safety|prohibited[_ ]content|(?<!case[ -])sensitive|usage (polic|guideline)\w+|content_violation|"
            r"policy[_ ]violation|\bnsfw\b|high risk|guardrail\w*|敏感|违规"
        ),
        Reason.REFUSED,
    ),
    Sign("401 or 407", (401, 407), Trouble.ACCOUNT, is_about_key=True),
    Sign(
        "400 whose words name the API key",
        (400,),
        Trouble.ACCOUNT,
        re.compile(r"api[ _-]?key"),
        is_about_key=True,
    ),
    Sign(
        "400 whose words name the country or the place that the call comes from",
        (400,),
        Trouble.ACCOUNT,
        re.compile(r"(location|region|country)\b[\w ,]{0,40} not supported"),
    ),
    Sign(
        "403 whose words name the key or a permission",
        (403,),
        Trouble.ACCOUNT,
        re.compile(
            r"\bkey\b|permission|unauthori[sz]ed|authenticat\w+|authori[sz]\w+|credential\w*|\btoken\b|"
            r"unregistered|not allowed to|(region|country)\b"
        ),
        is_about_key=True,
    ),
    Sign("any other 403", (403,), Trouble.SAMPLE_OR_ACCOUNT, reason=Reason.REFUSED),
    Sign(
        "the words say that the model failed to load (`model_load_error`)",
        (*range(200, 300), *_CLIENT, *_SERVER),
        Trouble.ENDPOINT,
        re.compile(
            r"model_load_error|failed to load (the )?(model|weights|engine)|(model|engine)\b[^.]{0,60} failed to load"
        ),
    ),
    Sign(
        "202, or 5xx, 409, 425 or 429 whose words say that it is loading or starting",
        (202, 409, 425, 429, *_SERVER),
        Trouble.LOADING,
        re.compile(
            rf"(\bloading\b|\b(re)?starting\b|initiali[sz](ing|ed)){_NO_PICTURE}|model_loading|server_initializing|"
            r"(?<!image )(?<!picture )(being|not( yet)?) loaded|warming|cold start|not (yet )?ready|not_ready"
        ),
    ),
    Sign("202 without an answer", (202,), Trouble.LOADING),
    Sign("404 or 405", (404, 405, 410), Trouble.ENDPOINT),
    Sign("429", (429,), Trouble.PASSING, reason=Reason.RATE_LIMITED),
    Sign(
        "400 whose words ask to come later, or tell of a crash (`ThrottlingException`)",
        (400,),
        Trouble.PASSING,
        re.compile(
            r"throttl\w*|(wait|later) (before|and) try\w*|try (again|your request) (later|again)|too many (concurrent )?requests|"
            r"overloaded|(model|engine)\b[^.]{0,20} (crashed|been unloaded|was unloaded)"
        ),
    ),
    Sign(
        "408, 409, 421, 424, 425, 498, 499 or 5xx",
        (408, 409, 421, 424, 425, 498, 499, *_SERVER),
        Trouble.PASSING,
    ),
    Sign("3xx", range(300, 400), Trouble.ENDPOINT),
    Sign("any other 4xx", _CLIENT, Trouble.REQUEST),
    Sign("200 with an error, or without an answer", _ANY_ERROR, Trouble.PASSING),
)


def sign_of(refusal: Refusal) -> Sign:
    return next(sign for sign in SIGNS if sign.fits(refusal))
