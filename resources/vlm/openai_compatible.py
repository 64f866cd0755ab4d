"""Any endpoint that speaks OpenAI's chat completions: NIM, TAO microservice, vLLM, LM Studio, custom.

One request at a time, without retries: those are `retry`'s. What an endpoint refuses (a way of structured
output, a parameter) is learned from its 400 and left out from then on.
"""

import json
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import httpx2
from openai import AsyncOpenAI, DefaultAioHttpClient

from grounding_assets.core.annotation.calls import CallError, Finish, ModelReply, ModelRequest, Trouble
from grounding_assets.core.errors import SpecError
from grounding_assets.core.images.prepared_image import PreparedImage
from resources.vlm.headers import retry_after_seconds
from resources.vlm.keys import Scrubber, header_key

LEVELS = ("json_schema", "json_object", "plain")
"""Structured output, from the strictest to none."""
_STRUCTURE_WORDS = ("response_format", "json_schema", "json_object", "grammar", "guided", "structured")
_MAX_LESSONS = 6
_PLACEHOLDER = "[image]"


@dataclass
class EndpointManners:
    """What this endpoint turned out to take; learned once, kept for all later requests."""

    level: str = "json_schema"
    renamed: dict[str, str] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)

    @classmethod
    def from_learned(cls, learned: Mapping[str, Any]) -> "EndpointManners":
        """From what an earlier client learned; empty: nothing yet."""
        if not learned:
            return cls()
        return cls(str(learned["level"]), dict(learned["renamed"]), set(learned["dropped"]))

    def adapt(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {
            self.renamed.get(name, name): value for name, value in body.items() if name not in self.dropped
        }

    def learn(self, message: str, body: Mapping[str, Any]) -> bool:
        """Draws a lesson from a 400, 404 or 422; False where there is none to draw."""
        text = message.lower()
        if "max_completion_tokens" in text and "max_tokens" in body:
            self.renamed["max_tokens"] = "max_completion_tokens"
            return True
        if "response_format" in body and any(word in text for word in _STRUCTURE_WORDS):
            self.level = LEVELS[min(LEVELS.index(self.level) + 1, len(LEVELS) - 1)]
            return True
        for name in ("temperature", "max_completion_tokens", "max_tokens", "chat_template_kwargs"):
            if name in text and name in body:
                self.dropped.add("max_tokens" if name == "max_completion_tokens" else name)
                return True
        return False


class OpenAiClient:
    """Sends one chat completion with an inline image. Create it inside the event loop that uses it."""

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: str,
        timeout_s: float,
        manners: EndpointManners | None = None,
    ):
        self.manners = manners or EndpointManners()
        self._base_url, self._model, self._timeout_s = base_url, model, timeout_s
        api_key = header_key(api_key, "image_grounding.vlm.openai.api_key or OPENAI_API_KEY")
        self._scrub = Scrubber(api_key)
        self._rate_limits: dict[str, str] = {}
        # what the SDK itself sends with, used without the SDK's way to it, which takes as long again
        self._http = DefaultAioHttpClient(timeout=timeout_s)
        try:
            # the SDK wants some key; servers without one ignore it
            sdk = AsyncOpenAI(base_url=base_url or None, api_key=api_key or "EMPTY", http_client=self._http)
        except httpx2.InvalidURL as error:
            raise SpecError(f"image_grounding.vlm.openai.base_url={base_url} is no URL: {error}.") from None
        self._url = f"{sdk.base_url}chat/completions"
        # in the SDK's order: OPENAI_CUSTOM_HEADERS may replace the key by what a gateway asks for
        headers = httpx2.Headers(sdk.auth_headers)
        # the SDK marks what it leaves out by a value of its own
        headers.update({name: text for name, text in sdk.default_headers.items() if isinstance(text, str)})
        self._headers = dict(headers.items())

    @property
    def structured_output(self) -> str:
        return self.manners.level

    @property
    def rate_limits(self) -> dict[str, str]:
        return self._rate_limits

    def learned(self) -> dict[str, Any]:
        return {
            "level": self.manners.level,
            "renamed": dict(self.manners.renamed),
            "dropped": sorted(self.manners.dropped),
        }

    async def aclose(self) -> None:
        await self._http.aclose()

    async def complete(self, request: ModelRequest) -> ModelReply:
        for _ in range(_MAX_LESSONS):
            body = self.manners.adapt(self._body(request))
            try:
                response = await self._send(body, request.image)
            except httpx2.TimeoutException as error:
                if _caused_by(error, aiohttp.ClientConnectionError, ConnectionError):
                    # the aiohttp transport reports a lost connection as a timeout
                    raise self._unreachable(error) from None
                raise CallError(
                    Trouble.TIMEOUT,
                    f"No reply from {self._base_url} within {self._timeout_s:g} s; raise openai.timeout.",
                ) from None
            # a host's name that cannot be one is a ValueError
            except (httpx2.RequestError, aiohttp.ClientError, OSError, ValueError) as error:
                raise self._unreachable(error) from None
            if response.is_success:
                return self._read(response)
            text = " ".join(self._scrub(response.text).split())[:300]
            if response.status_code in (400, 404, 422) and self.manners.learn(text, body):
                continue
            raise self._classified(response.status_code, text, response.headers)
        raise CallError(
            Trouble.REJECTED, f"{self._base_url} refuses every form of request that is known here."
        )

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        """The request with a placeholder for the image, see `_encode`."""
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [
                {"role": "system", "content": request.instructions},
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": _PLACEHOLDER}},
                        {"type": "text", "text": request.text},
                    ],
                },
            ],
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            **request.extra,
        }
        if request.schema is not None and self.manners.level == "json_schema":
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "reply", "strict": True, "schema": dict(request.schema)},
            }
        elif request.schema is not None and self.manners.level == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body

    async def _send(self, body: Mapping[str, Any], image: PreparedImage) -> httpx2.Response:
        parts = _encode(body, image)
        # with a length, the body is not sent chunked, which some servers refuse
        headers = {**self._headers, "Content-Length": str(sum(map(len, parts)))}
        response = await self._http.post(self._url, content=_stream(parts), headers=headers)
        self._rate_limits = {
            name: self._scrub(value)
            for name, value in response.headers.items()
            if name.lower().startswith("x-ratelimit")
        }
        return response

    def _read(self, response: httpx2.Response) -> ModelReply:
        try:
            reply = json.loads(response.content)
        except ValueError:
            raise CallError(Trouble.UNAVAILABLE, f"{self._base_url} sent a body that is not JSON.") from None
        choices = reply.get("choices") if isinstance(reply, dict) else None
        choice = choices[0] if isinstance(choices, list) and choices else None
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(choice, dict) or not isinstance(message, dict):
            # a TAO microservice that is still loading answers 202 with an error body and no choices
            shown = self._scrub(json.dumps(reply))[:200]
            raise CallError(Trouble.UNAVAILABLE, f"{self._base_url} sent no choices: {shown}.")
        usage = reply.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        tokens = (_token_count(usage.get("prompt_tokens")), _token_count(usage.get("completion_tokens")))
        content, refusal = message.get("content"), message.get("refusal")
        text = self._scrub(content) if isinstance(content, str) else ""
        detail = self._scrub(str(choice.get("finish_reason") or ""))
        if isinstance(refusal, str) and refusal:
            return ModelReply(self._scrub(refusal), Finish.REFUSED, *tokens, detail="refusal")
        if detail == "content_filter":
            return ModelReply(text, Finish.REFUSED, *tokens, detail=detail)
        finish = Finish.LENGTH if detail == "length" else Finish.COMPLETE
        thinking = bool(message.get("reasoning") or message.get("reasoning_content") or "</think>" in text)
        return ModelReply(text, finish, *tokens, detail=detail, thinking=thinking)

    def _classified(self, status: int, text: str, headers: Mapping[str, str]) -> CallError:
        where = self._base_url
        wait = retry_after_seconds(headers)
        if status in (401, 403):
            message = f"{where} refuses the API key ({status}): set OPENAI_API_KEY or image_grounding.vlm.openai.api_key. {text}"
            return CallError(Trouble.FATAL, message)
        if status == 404:
            message = f"{where} does not serve the model '{self._model}' (404): check openai.model_name and openai.base_url. {text}"
            return CallError(Trouble.FATAL, message)
        if status == 413:
            message = f"{where} finds the request too large (413): set openai.max_image_bytes, such as 134900. {text}"
            return CallError(Trouble.REJECTED, message)
        if status == 429:
            return CallError(
                Trouble.RATE_LIMITED, f"{where} limits the rate (429). {text}", retry_after_s=wait
            )
        if status in (408, 409) or status >= 500:
            return CallError(Trouble.UNAVAILABLE, f"{where} answered {status}. {text}", retry_after_s=wait)
        return CallError(Trouble.REJECTED, f"{where} rejects the request ({status}). {text}")

    def _unreachable(self, error: Exception) -> CallError:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, socket.gaierror):
                return CallError(
                    Trouble.FATAL,
                    f"No such host: {self._base_url}. Check image_grounding.vlm.openai.base_url.",
                )
            cause = cause.__cause__ or cause.__context__
        reason = self._scrub(str(error) or type(error).__name__)[:200]
        return CallError(Trouble.UNAVAILABLE, f"Cannot reach {self._base_url}: {reason}.")


def _encode(body: Mapping[str, Any], image: PreparedImage) -> tuple[bytes, bytes, bytes]:
    """The request as JSON in three parts, the middle one being the image, which is not copied."""
    before, after = json.dumps(body).split(f'"{_PLACEHOLDER}"', 1)
    return f'{before}"data:{image.mime_type};base64,'.encode(), image.base64, f'"{after}'.encode()


async def _stream(parts: Sequence[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def _token_count(value: Any) -> int:
    """0 for what is no count: the reply is paid for and good, whatever stands beside it."""
    return value if type(value) is int and value >= 0 else 0


def _caused_by(error: BaseException, *kinds: type[BaseException]) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, kinds):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
