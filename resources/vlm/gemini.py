"""Google's Gemini API through google-genai. One request at a time, no retries of the SDK's own."""

import asyncio
import math
import socket
from collections.abc import Mapping
from typing import Any

import aiohttp
import httpx2
from google import genai
from google.genai import errors, types

from grounding_assets.core.annotation.calls import CallError, Finish, ModelReply, ModelRequest, Trouble
from resources.vlm.headers import retry_after_seconds
from resources.vlm.keys import Scrubber, header_key

_REFUSALS = frozenset(
    {"SAFETY", "RECITATION", "SPII", "PROHIBITED_CONTENT", "BLOCKLIST", "IMAGE_SAFETY", "LANGUAGE"}
)


class GeminiClient:
    """Sends one `generateContent` with an inline image. Create it inside the event loop that uses it."""

    def __init__(
        self, *, model: str, api_key: str, media_resolution: str, timeout_s: float, base_url: str = ""
    ):
        self._model, self._timeout_s = model, timeout_s
        api_key = header_key(api_key, "image_grounding.vlm.gemini.api_key or GOOGLE_API_KEY")
        self._scrub = Scrubber(api_key)
        self._thinking = thinking_off(model)
        self._where = base_url or "the Gemini API"
        self._media_resolution = types.MediaResolution(media_resolution)
        self._sdk = genai.Client(
            api_key=api_key,
            vertexai=False,
            http_options=types.HttpOptions(
                base_url=base_url or None,
                api_version="v1beta",  # media_resolution and thinking levels are fields of v1beta
                timeout=round(timeout_s * 1000),  # the SDK counts in milliseconds
                # with no options at all the SDK retries connection errors after up to 10 s of sleep
                retry_options=types.HttpRetryOptions(attempts=1),
            ),
        )

    @property
    def structured_output(self) -> str:
        return "json_schema"

    @property
    def rate_limits(self) -> dict[str, str]:
        return {}  # the API sends none

    def learned(self) -> dict[str, Any]:
        return {}

    async def aclose(self) -> None:
        await self._sdk.aio.aclose()

    async def complete(self, request: ModelRequest) -> ModelReply:
        try:
            return await self._send(request)
        except CallError as error:
            # some models refuse to be told not to think: learned once, left out from then on
            if (
                error.trouble is not Trouble.REJECTED
                or self._thinking is None
                or "thinking" not in str(error).lower()
            ):
                raise
            self._thinking = None
            return await self._send(request)

    async def _send(self, request: ModelRequest) -> ModelReply:
        config = types.GenerateContentConfig(
            system_instruction=request.instructions,
            temperature=request.temperature,
            max_output_tokens=request.max_tokens,
            media_resolution=self._media_resolution,
            response_mime_type="application/json" if request.schema is not None else None,
            response_json_schema=dict(request.schema) if request.schema is not None else None,
            thinking_config=self._thinking,
        )
        image = types.Part.from_bytes(data=request.image.encoded, mime_type=request.image.mime_type)
        try:
            # the SDK's own limit does not cover waiting for a connection
            async with asyncio.timeout(self._timeout_s + 5):
                response = await self._sdk.aio.models.generate_content(
                    model=self._model, contents=[image, request.text], config=config
                )
        except errors.APIError as error:
            raise self._classified(error) from None
        except (TimeoutError, httpx2.TimeoutException):
            raise CallError(
                Trouble.TIMEOUT,
                f"No reply from {self._where} within {self._timeout_s:g} s; raise gemini.timeout.",
            ) from None
        except (aiohttp.ClientError, httpx2.TransportError, OSError) as error:
            raise self._unreachable(error) from None
        except (errors.UnknownApiResponseError, ValueError) as error:
            reason = self._scrub(str(error))[:200]
            raise CallError(
                Trouble.UNAVAILABLE, f"{self._where} sent an unreadable body: {reason}."
            ) from None
        return self._read(response)

    def _read(self, response: types.GenerateContentResponse) -> ModelReply:
        usage = response.usage_metadata
        tokens_in = (usage.prompt_token_count or 0) if usage else 0
        tokens_out = ((usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)) if usage else 0
        if not response.candidates:
            feedback = response.prompt_feedback
            blocked = feedback.block_reason.value if feedback and feedback.block_reason else "no candidates"
            return ModelReply("", Finish.REFUSED, tokens_in, tokens_out, detail=str(blocked))
        candidate = response.candidates[0]
        parts = (candidate.content.parts or []) if candidate.content else []
        text = self._scrub("".join(part.text for part in parts if part.text and not part.thought))
        detail = candidate.finish_reason.value if candidate.finish_reason else ""
        if detail == "MAX_TOKENS":
            finish = Finish.LENGTH
        elif detail in _REFUSALS:
            finish = Finish.REFUSED
        else:
            finish = Finish.COMPLETE
        thinking = bool(usage and usage.thoughts_token_count)
        return ModelReply(text, finish, tokens_in, tokens_out, detail=detail, thinking=thinking)

    def _classified(self, error: errors.APIError) -> CallError:
        status = int(error.code or 0)
        text = " ".join(self._scrub(str(error.message or error.status or "")).split())[:300]
        wait = _retry_info_seconds(error.details) or retry_after_seconds(_headers(error))
        wrong_key = status in (401, 403) or (status == 400 and "api key" in text.lower())
        if wrong_key:
            message = f"{self._where} refuses the API key ({status}): set GOOGLE_API_KEY or image_grounding.vlm.gemini.api_key. {text}"
            return CallError(Trouble.FATAL, message)
        if status == 404:
            message = (
                f"{self._where} does not serve the model '{self._model}' (404): check gemini.model. {text}"
            )
            return CallError(Trouble.FATAL, message)
        if status == 429:
            message = f"{self._where} limits the rate (429). {text}"
            return CallError(Trouble.RATE_LIMITED, message, retry_after_s=wait)
        if status in (408, 409) or status >= 500:
            message = f"{self._where} answered {status}. {text}"
            return CallError(Trouble.UNAVAILABLE, message, retry_after_s=wait)
        return CallError(Trouble.REJECTED, f"{self._where} rejects the request ({status}). {text}")

    def _unreachable(self, error: BaseException) -> CallError:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, (socket.gaierror, aiohttp.ClientConnectorDNSError)):
                return CallError(
                    Trouble.FATAL, f"No such host: {self._where}. Check gemini.base_url and the network."
                )
            cause = cause.__cause__ or cause.__context__
        return CallError(Trouble.UNAVAILABLE, f"Cannot reach {self._where}: {self._scrub(str(error))[:200]}.")


def thinking_off(model: str) -> types.ThinkingConfig | None:
    """The least thinking a model allows: it adds latency and no better boxes (Google's own advice).

    2.5 Flash takes a budget of 0, 3.x a minimal level; Pro models cannot switch it off.
    """
    name = model.lower()
    if "pro" in name:
        return None
    if "2.5" in name:
        return types.ThinkingConfig(thinking_budget=0)
    if "gemini-3" in name:
        return types.ThinkingConfig(thinking_level=types.ThinkingLevel.MINIMAL)
    return None


def _retry_info_seconds(details: Any) -> float | None:
    """The delay of a `google.rpc.RetryInfo` in an error body, such as "17s"."""
    error = details.get("error", details) if isinstance(details, dict) else {}
    rows = error.get("details", []) if isinstance(error, dict) else []
    for row in rows if isinstance(rows, list) else []:
        delay = row.get("retryDelay") if isinstance(row, dict) else None
        if isinstance(delay, str) and delay.endswith("s"):
            try:
                seconds = float(delay[:-1])
            except ValueError:
                continue
            if math.isfinite(seconds):
                return max(0.0, seconds)
    return None


def _headers(error: errors.APIError) -> Mapping[str, str]:
    headers = getattr(error.response, "headers", None)
    return {str(name).lower(): str(value) for name, value in headers.items()} if headers else {}
