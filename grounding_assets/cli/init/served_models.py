"""Asking an endpoint for the models that it serves: whether it runs, takes the key, and what to choose from."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from grounding_assets.cli.init.choices import EndpointChoice

_TIMEOUT_S = 30
_MAX_BYTES = 4 << 20
_GOOGLE = "https://generativelanguage.googleapis.com"


@dataclass(frozen=True, slots=True)
class Listing:
    """What an endpoint said."""

    names: tuple[str, ...] = ()
    """Empty where it lists no models, which many do not."""
    not_running: str = ""
    """Why it cannot be asked; empty where it answered."""
    key_refused: bool = False
    better_url: str = ""
    """The base URL that lists `names`, where the given one does not."""


async def list_models(choice: EndpointChoice, base_url: str, key: str) -> Listing:
    """One request, two where the answer is 404 or the endpoint has a readiness of its own."""
    if choice.backend == "gemini":
        url, headers = f"{base_url or _GOOGLE}/v1beta/models?pageSize=1000", {"x-goog-api-key": key}
    else:
        url, headers = f"{base_url}/models", {"Authorization": f"Bearer {key or 'EMPTY'}"}
    # the SDKs heed the proxies of the environment, so this does
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, headers=headers, trust_env=True) as session:
        try:
            if choice.name == "tao" and (loading := await _loading(session, base_url)):
                return Listing(not_running=loading)
            status, body = await _get(session, url)
            if status == 404 and choice.backend == "openai" and not urlsplit(base_url).path:
                again, listing = await _get(session, f"{base_url}/v1/models")
                if again == 200 and (names := _names(listing)):
                    return Listing(names, better_url=f"{base_url}/v1")
        except aiohttp.ClientConnectorError as error:
            return Listing(not_running=error.strerror or str(error))
        except TimeoutError:
            return Listing(not_running=f"nothing came within {_TIMEOUT_S} s")
        except (aiohttp.ClientError, OSError) as error:
            return Listing(not_running=str(error) or type(error).__name__)
    refused = status in (401, 403) or (status == 400 and "API_KEY_INVALID" in json.dumps(body))
    return Listing(names=_names(body) if status == 200 else (), key_refused=refused)


async def _loading(session: aiohttp.ClientSession, base_url: str) -> str:
    """What a TAO inference microservice still waits for; empty once it is ready."""
    parts = urlsplit(base_url)
    status, body = await _get(session, f"{parts.scheme}://{parts.netloc}/api/v1/health/readiness")
    if status not in (202, 503):
        return ""
    error = body.get("error") if isinstance(body, dict) else None
    kind = error.get("type") if isinstance(error, dict) else None
    return f"it is not ready ({status} {kind or 'not_ready'})"


async def _get(session: aiohttp.ClientSession, url: str) -> tuple[int, Any]:
    # not followed elsewhere: the request carries a key
    async with session.get(url, allow_redirects=False) as response:
        raw = b""
        async for chunk in response.content.iter_chunked(1 << 16):
            raw += chunk
            if len(raw) > _MAX_BYTES:
                return response.status, None
    try:
        return response.status, json.loads(raw)
    except (ValueError, RecursionError):
        return response.status, None


def _names(body: Any) -> tuple[str, ...]:
    """Of OpenAI's form (`data[].id`) or Gemini's (`models[].name`, those that generate text)."""
    if not isinstance(body, dict):
        return ()
    rows = body.get("data") or body.get("models")
    if not isinstance(rows, list):
        return ()
    names = [row.get("id") or row.get("name") for row in rows if isinstance(row, dict) and _generates(row)]
    return tuple(name.removeprefix("models/") for name in names if isinstance(name, str) and name)


def _generates(row: dict[str, Any]) -> bool:
    methods = row.get("supportedGenerationMethods")
    return methods is None or (isinstance(methods, list) and "generateContent" in methods)
