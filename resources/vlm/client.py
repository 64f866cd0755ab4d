"""What the two kinds of endpoint have in common: send, learn from a refusal, classify what remains.

One request at a time, without retries: those are `retry`'s. A dialect (`openai_compatible`, `gemini`) says how a
request and a reply look.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol
from urllib.parse import urlsplit

from grounding_assets.core.annotation.calls import CallError, ModelReply, ModelRequest, Trouble
from grounding_assets.core.budget.account import Account, Intent
from grounding_assets.core.errors import Reason
from resources.vlm.event_stream import chat_completion, is_event_stream
from resources.vlm.headers import retry_after_seconds, retry_info_seconds
from resources.vlm.keys import Scrubber
from resources.vlm.manners import Lesson, Manners, Teachable
from resources.vlm.refusals import Refusal, Sign, document_of, loaded, sign_of
from resources.vlm.transport import Answer, Transport
from resources.vlm.untyped import as_dict

IMAGE_PLACEHOLDER = f"[image {secrets.token_hex(8)}]"
"""No other string of a request ends in it: settings and captions are others' words."""
_MOST_LESSONS = 6
_LONGEST_WORDS = 300
_MOST_TOKENS = 10**9
_TEACHES = (Trouble.REQUEST, Trouble.ENDPOINT, Trouble.PASSING)


class NoAnswer(Exception):
    """A reply of 200 that holds no answer: the endpoint's fault. `document` is what to show of it."""

    def __init__(self, document: Any, message: str = ""):
        super().__init__(message)
        self.document = document


class Dialect(Protocol):
    """How one API is spoken."""

    where: str
    """The endpoint's name in messages."""
    setting: str
    """The section of the spec, such as `image_grounding.vlm.openai`, for messages."""
    model_setting: str
    """The setting that names the model."""
    key_variable: str
    """The environment variable of the key."""
    model: str
    teachable: Teachable

    def fields(self, request: ModelRequest, manners: Manners) -> dict[str, Any]:
        """What of the request some endpoints refuse, under the names that it is sent as."""
        ...

    def body(self, request: ModelRequest, manners: Manners, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The request, with the image's placeholder at the end of the string where its base64 belongs."""
        ...

    def read(self, document: Any) -> ModelReply:
        """Raises NoAnswer, or CallError for a refusal within."""
        ...


class EndpointClient:
    """See `core.annotation.calls.ModelClient`. Create it inside the event loop that uses it."""

    may_lack_v1 = False
    """Whether the configured address has no path, which most servers want."""
    readiness_url = ""
    """Where a TAO inference microservice tells how far it is; empty if none can be."""

    def __init__(
        self,
        dialect: Dialect,
        transport: Transport,
        scrub: Scrubber,
        models_url: str,
        account: Account | None = None,
    ):
        """`models_url` is where the API lists its models; `account` is asked before each request for an answer,
        those that teach included.
        """
        self.models_url = models_url
        self._account = account
        self._dialect, self._transport, self._scrub = dialect, transport, scrub
        self._teachable = dialect.teachable
        self.rate_limits: dict[str, str] = {}

    @property
    def structured_output(self) -> str:
        return self._teachable.manners.level

    def learned(self) -> dict[str, Any]:
        return self._teachable.manners.to_learned()

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def get(self, url: str, timeout_s: float) -> Answer:
        """What the endpoint answers at a URL of its own, with the headers of every request. Raises CallError."""
        return await self._transport.get(url, timeout_s)

    def encoded(self, request: ModelRequest) -> Sequence[bytes]:
        """The request's body as it would be sent now, in parts."""
        manners = self._teachable.manners
        return _encoded(self._dialect, request, manners, self._dialect.fields(request, manners))

    def read(self, status: int, document: Any, request: ModelRequest) -> ModelReply:
        """What an answer means that came by another way, such as in a batch. Raises CallError."""
        answer = Answer(status, {}, _as_body(document))
        if not 200 <= status < 300:
            raise self._classified(self._refusal(answer, request))
        return self._read(answer, request)

    def counted(self, document: Any) -> ModelReply | None:
        """An answer for the sake of its tokens; None if it holds none."""
        try:
            return self._dialect.read(document)
        except (NoAnswer, CallError):
            return None

    async def complete(self, request: ModelRequest) -> ModelReply:
        dialect, lessons = self._dialect, list[Lesson]()
        manners, first_error = self._teachable.manners, None
        while True:
            fields = dialect.fields(request, manners)
            answer, reply = await self._booked(request, _encoded(dialect, request, manners, fields))
            if reply is not None:
                self._teachable.accept(manners, lessons, tuple(fields), request.schema)
                return reply
            refusal = self._refusal(answer, request)
            error = self._classified(refusal)
            first_error = first_error or error
            if error.trouble not in _TEACHES or error.reason is Reason.RATE_LIMITED:
                raise error
            lesson = None
            if len(lessons) < _MOST_LESSONS:
                lesson = self._teachable.lesson(refusal, manners, fields, request.schema)
            if lesson is None:
                # a change that did not help says less than the refusal that it was to answer
                raise first_error
            lessons.append(lesson)
            manners = lesson.manners

    async def _booked(self, request: ModelRequest, body: Sequence[bytes]) -> tuple[Answer, ModelReply | None]:
        """Sends what is booked before and settled when it has ended; no reply in what is refused.

        What is cut off on this side stays open, since it may be paid for.

        Raises:
            BudgetReached: a cap has no room; nothing was sent.
            CallError: no answer came, or none that can be read.
        """
        if self._account is None:
            return await self._send(request, body)
        intent = Intent.of(request)
        booking = await self._account.book(intent)
        try:
            answer, reply = await self._send(request, body)
        except CallError:
            self._account.settle(booking, intent.taken(None))
            raise
        self._account.settle(booking, intent.taken(reply))
        return answer, reply

    async def _send(self, request: ModelRequest, body: Sequence[bytes]) -> tuple[Answer, ModelReply | None]:
        answer = await self._transport.post(body)
        is_reply = 200 <= answer.status < 300 and answer.status != 202
        return answer, self._read(answer, request) if is_reply else None

    def _read(self, answer: Answer, request: ModelRequest) -> ModelReply:
        where = self._dialect.where
        self.rate_limits = {
            name: self._scrub(value)
            for name, value in answer.headers.items()
            if name.lower().startswith("x-ratelimit")
        }
        try:
            document = chat_completion(answer.body) if is_event_stream(answer.body) else loaded(answer.body)
            reply = self._dialect.read(document)
            # what ends up in messages; the text itself is the model's, and nothing in it is touched
            detail = self._scrub(reply.detail)
            return reply if detail == reply.detail else replace(reply, detail=detail)
        except NoAnswer as nothing:
            refusal = self._refusal(answer, request, nothing.document)
            error = self._classified(refusal, str(nothing))
            raise error from None
        except ValueError:
            begins = self._scrub(self._refusal(answer, request).text)[:80]
            said = f": it begins {begins!r}." if begins else ", but empty."
            raise CallError(Trouble.PASSING, f"{where} sent a body that is not JSON{said}") from None
        except (RecursionError, MemoryError, OverflowError):
            raise CallError(
                Trouble.SAMPLE, f"{where} sent a reply that nests or counts beyond all measure."
            ) from None

    def _refusal(self, answer: Answer, request: ModelRequest, document: Any = None) -> Refusal:
        asked = f"{request.text}\n{request.instructions}"
        if document is None:
            document = document_of(answer.body)
        status = _status_within(document) or answer.status if answer.status == 200 else answer.status
        told = retry_after_seconds(answer.headers), retry_info_seconds(document)
        waits = [seconds for seconds in told if seconds is not None]
        return Refusal(status, document, asked.lower(), max(waits, default=None))

    def _classified(self, refusal: Refusal, message: str = "") -> CallError:
        sign = sign_of(refusal)
        words = " ".join(self._scrub(refusal.text or _as_json(refusal.document)).split())[:_LONGEST_WORDS]
        text = message or self._message(refusal.status, sign)
        return CallError(
            sign.trouble, f"{text} {words}".strip(), reason=sign.reason, retry_after_s=refusal.retry_after_s
        )

    def _message(self, status: int, sign: Sign) -> str:
        dialect, where, trouble = self._dialect, self._dialect.where, sign.trouble
        if trouble is Trouble.SAMPLE_OR_ACCOUNT:
            return f"{where} refuses this sample, or the key if it refuses all ({status})."
        if sign.reason is Reason.REFUSED:
            return f"{where} refuses this sample ({status})."
        if sign.is_about_key:
            return f"{where} refuses the API key ({status}): set {dialect.key_variable} or {dialect.setting}.api_key."
        if trouble is Trouble.ACCOUNT:
            return f"{where} serves this account no longer ({status})."
        if trouble is Trouble.LOADING:
            return f"{where} is not ready yet ({status})."
        if trouble is Trouble.ENDPOINT and status in (404, 405, 410):
            slip = ""
            if without_path(where):
                slip = f" Most servers want a path in it: {where.rstrip('/')}/v1"
            elif where.rstrip("/").endswith("/chat/completions"):
                slip = " Leave /chat/completions out: it is added."
            check = f"{dialect.model_setting} and {dialect.setting}.base_url"
            return f"{where} does not serve the model '{dialect.model}' ({status}): check {check}.{slip}"
        if status == 413:
            return f"{where} finds the request too large (413): set {dialect.setting}.max_image_bytes, such as 134900."
        if status == 429:
            return f"{where} limits the rate (429)."
        if 200 <= status < 300:
            return f"{where} sent no choices:"
        if trouble in (Trouble.PASSING, Trouble.ENDPOINT):
            return f"{where} answered {status}."
        return f"{where} rejects the request ({status})."


def token_count(value: Any) -> int | None:
    """None for what is no count: the reply is paid for and good, whatever stands beside it."""
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else None


def without_path(where: str) -> bool:
    """Whether a URL names a host and no more."""
    return "://" in where and not urlsplit(where).path.strip("/")


def _encoded(
    dialect: Dialect, request: ModelRequest, manners: Manners, fields: Mapping[str, Any]
) -> Sequence[bytes]:
    """The request as JSON in three parts, the middle one being the image, which is not copied."""
    before, after = json.dumps(dialect.body(request, manners, fields)).split(f'{IMAGE_PLACEHOLDER}"', 1)
    return before.encode(), request.image.base64, f'"{after}'.encode()


def _as_body(document: Any) -> bytes:
    return document.encode() if isinstance(document, str) else json.dumps(document).encode()


def _as_json(document: Any) -> str:
    try:
        return json.dumps(document)[:_LONGEST_WORDS] if document else ""
    except RecursionError:
        return ""


def _status_within(document: Any) -> int:
    """The status that an error inside a 200 tells; 0 if it tells none."""
    error = as_dict(as_dict(document).get("error"))
    for text in (str(error.get("code")), str(error.get("status"))):
        if len(text) == 3 and text.isascii() and text.isdigit() and 400 <= int(text) < 600:
            return int(text)
    return 0
