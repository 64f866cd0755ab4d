"""Any endpoint that speaks OpenAI's chat completions: NIM, TAO microservice, vLLM, LM Studio, custom.

One request at a time, no retries of the SDK's own. What an endpoint refuses (a way of structured
output, a parameter) is learned from its 400 and left out from then on.
"""

import base64
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import openai
from openai import AsyncOpenAI, DefaultAioHttpClient
from openai.types.chat import ChatCompletion

from grounding_assets.core.calls import CallError, Finish, ModelReply, ModelRequest, Trouble
from resources.vlm.headers import retry_after_seconds

LEVELS = ("json_schema", "json_object", "plain")
"""Structured output, from the strictest to none."""
_STRUCTURE_WORDS = ("response_format", "json_schema", "json_object", "grammar", "guided", "structured")
_MAX_LESSONS = 6


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
        self._api_key = api_key
        self._rate_limits: dict[str, str] = {}
        # the SDK wants some key; servers without one ignore it
        self._sdk = AsyncOpenAI(
            base_url=base_url or None,
            api_key=api_key or "EMPTY",
            timeout=timeout_s,
            max_retries=0,
            http_client=DefaultAioHttpClient(),
        )

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
        await self._sdk.close()

    async def complete(self, request: ModelRequest) -> ModelReply:
        for _ in range(_MAX_LESSONS):
            body = self.manners.adapt(self._body(request))
            try:
                return self._read(await self._send(body))
            except openai.APIStatusError as error:
                text = self._scrubbed(error)
                if error.status_code in (400, 404, 422) and self.manners.learn(text, body):
                    continue
                raise self._classified(error.status_code, text, error.response.headers) from None
            except openai.APITimeoutError as error:
                if _caused_by(error, aiohttp.ClientConnectionError, ConnectionError):
                    # the aiohttp transport reports a lost connection as a timeout
                    raise self._unreachable(error) from None
                raise CallError(
                    Trouble.TIMEOUT,
                    f"No reply from {self._base_url} within {self._timeout_s:g} s; raise openai.timeout.",
                ) from None
            except openai.APIConnectionError as error:
                raise self._unreachable(error) from None
            except openai.APIResponseValidationError:
                raise CallError(
                    Trouble.UNAVAILABLE, f"{self._base_url} sent a body that is not JSON."
                ) from None
        raise CallError(
            Trouble.REJECTED, f"{self._base_url} refuses every form of request that is known here."
        )

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        url = (
            f"data:{request.image.mime_type};base64,{base64.b64encode(request.image.encoded).decode('ascii')}"
        )
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [
                {"role": "system", "content": request.instructions},
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": url}},
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

    async def _send(self, body: dict[str, Any]) -> ChatCompletion:
        known = ("model", "messages", "max_tokens", "max_completion_tokens", "temperature", "response_format")
        extra = {name: value for name, value in body.items() if name not in known}
        named: dict[str, Any] = {name: value for name, value in body.items() if name in known}
        raw = await self._sdk.chat.completions.with_raw_response.create(**named, extra_body=extra or None)
        self._rate_limits = {
            name: value for name, value in raw.headers.items() if name.lower().startswith("x-ratelimit")
        }
        return raw.parse()

    def _read(self, completion: ChatCompletion) -> ModelReply:
        usage = completion.usage if isinstance(completion, ChatCompletion) else None
        tokens = (usage.prompt_tokens or 0, usage.completion_tokens or 0) if usage else (0, 0)
        choices = getattr(completion, "choices", None)
        if not choices:
            # a TAO microservice that is still loading answers 202 with an error body and no choices
            error = getattr(completion, "error", None) or getattr(completion, "message", None)
            raise CallError(
                Trouble.UNAVAILABLE, f"{self._base_url} sent no choices: {self._scrub(str(error))[:200]}."
            )
        choice = choices[0]
        message = choice.message
        text = self._scrub((message.content if message else None) or "")
        detail = str(choice.finish_reason or "")
        if message and message.refusal:
            return ModelReply(self._scrub(message.refusal), Finish.REFUSED, *tokens, detail="refusal")
        if detail == "content_filter":
            return ModelReply(text, Finish.REFUSED, *tokens, detail=detail)
        finish = Finish.LENGTH if detail == "length" else Finish.COMPLETE
        extras = (message.model_extra or {}) if message else {}
        thinking = bool(extras.get("reasoning") or extras.get("reasoning_content") or "</think>" in text)
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
        if status == 429:
            return CallError(
                Trouble.RATE_LIMITED, f"{where} limits the rate (429). {text}", retry_after_s=wait
            )
        if status in (408, 409) or status >= 500:
            return CallError(Trouble.UNAVAILABLE, f"{where} answered {status}. {text}", retry_after_s=wait)
        return CallError(Trouble.REJECTED, f"{where} rejects the request ({status}). {text}")

    def _unreachable(self, error: openai.APIConnectionError) -> CallError:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, socket.gaierror):
                return CallError(
                    Trouble.FATAL,
                    f"No such host: {self._base_url}. Check image_grounding.vlm.openai.base_url.",
                )
            cause = cause.__cause__ or cause.__context__
        reason = self._scrub(str(error.__cause__ or error))[:200]
        return CallError(Trouble.UNAVAILABLE, f"Cannot reach {self._base_url}: {reason}.")

    def _scrubbed(self, error: openai.APIStatusError) -> str:
        # not `error.message`, which is "Error code: 400" where the body has another form than OpenAI's
        return " ".join(self._scrub(error.response.text or error.message).split())[:300]

    def _scrub(self, text: str) -> str:
        return text.replace(self._api_key, "[key]") if self._api_key else text


def _caused_by(error: BaseException, *kinds: type[BaseException]) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, kinds):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
