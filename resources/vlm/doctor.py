"""Examining an endpoint: is it there, does it take the key, the model, images, a schema; how does it write boxes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp

from grounding_assets.core.budget.account import Account
from grounding_assets.core.errors import GroundingError
from grounding_assets.core.spec.settings import Spec
from resources.credentials import Credentials
from resources.vlm.checking import measure
from resources.vlm.measurements import Measurement
from resources.vlm.resource import base_url, build_teacher, model_name, server_settings
from resources.vlm.teacher import VlmTeacher

Outcome = Literal["ok", "warning", "failed"]
_PROBE_TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of an examination."""

    subject: str
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class Examination:
    findings: tuple[Finding, ...]
    measurement: Measurement | None
    """None where no reply came that could be judged."""

    @property
    def passed(self) -> bool:
        return all(finding.outcome != "failed" for finding in self.findings)


async def examine(spec: Spec, credentials: Credentials, account: Account | None = None) -> Examination:
    """Examines the spec's endpoint with one or two listings and a call for each calibration card, which is booked."""
    findings: list[Finding] = []
    if spec.vlm.backend == "openai" and spec.vlm.openai.base_url:
        findings += await _listings(spec, credentials)
    teacher = build_teacher(_impatient(spec), credentials, None, account)
    assert isinstance(teacher, VlmTeacher)
    try:
        measurement = await measure(
            teacher, spec.vlm.backend, base_url(spec), model_name(spec), server_settings(spec)
        )
    except GroundingError as error:
        return Examination((*findings, Finding("calibration cards", "failed", str(error))), None)
    finally:
        await teacher.aclose()
    findings += _from_calls(teacher, measurement)
    return Examination(tuple(findings), measurement)


def _impatient(spec: Spec) -> Spec:
    """Whoever asks how an endpoint is wants to hear that it is loading, and not to wait for it."""
    settings = spec.image_grounding
    workflow = settings.workflow.model_copy(update={"patience": 0.0})
    return spec.model_copy(update={"image_grounding": settings.model_copy(update={"workflow": workflow})})


async def _listings(spec: Spec, credentials: Credentials) -> list[Finding]:
    """What the endpoint says of itself; many answer only some of this, which is no fault."""
    url = spec.vlm.openai.base_url
    headers = {"Authorization": f"Bearer {credentials.openai or 'EMPTY'}"}
    findings: list[Finding] = []
    # by the environment's proxies, as a run
    async with aiohttp.ClientSession(timeout=_PROBE_TIMEOUT, trust_env=True) as session:
        try:
            async with session.get(f"{url}/models", headers=headers) as response:
                findings.append(Finding("reachable", "ok", f"{url}/models answers {response.status}"))
                findings += _models(response.status, await _json(response), spec.vlm.openai.model_name)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return [Finding("reachable", "failed", f"{url}: {error or type(error).__name__}")]
        findings += await readiness(session, url)
    return findings


def _models(status: int, listing: Any, model: str) -> list[Finding]:
    if status in (401, 403):
        return [Finding("key", "failed", "refused: set OPENAI_API_KEY or image_grounding.vlm.openai.api_key")]
    rows = listing.get("data") if isinstance(listing, dict) else None
    if status != 200 or not isinstance(rows, list):
        return [Finding("model", "warning", "the endpoint lists no models; the calls will tell")]
    names = [str(row.get("id")) for row in rows if isinstance(row, dict)]
    if model in names:
        return [Finding("key", "ok", "accepted"), Finding("model", "ok", f"{model} is served")]
    shown = ", ".join(names[:5]) or "none"
    return [
        Finding("key", "ok", "accepted"),
        Finding("model", "failed", f"{model} is not among those served: {shown}"),
    ]


async def readiness(session: aiohttp.ClientSession, url: str) -> list[Finding]:
    """A TAO inference microservice tells how far it is: 200 ready, 202 loading, 503 failed.

    Nothing is found where there is no such route. `url` is the base URL.
    """
    parts = urlsplit(url)
    try:
        async with session.get(f"{parts.scheme}://{parts.netloc}/api/v1/health/readiness") as response:
            body = await _json(response)
            if not isinstance(body, dict):
                return []
            # a server that has no such route may answer 200 as well, with an error in the body
            if response.status == 200 and "error" not in body:
                return [Finding("readiness", "ok", "ready")]
            if response.status in (202, 503):
                return [Finding("readiness", "failed", f"{response.status} {_not_ready(body)}")]
            return []
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return [Finding("readiness", "warning", f"could not be asked: {error or type(error).__name__}")]


def _not_ready(body: Mapping[str, Any]) -> str:
    """Why, by either release's form of the body, and what to do."""
    error = body.get("error")
    state = str((error.get("type") if isinstance(error, dict) else body.get("reason")) or "not ready")
    if state == "model_load_error":
        return f"{state}; waiting does not help: the server's log says why the model did not load"
    return f"{state}; wait, then try again"


async def _json(response: aiohttp.ClientResponse) -> Any:
    try:
        return await response.json(content_type=None)
    except (ValueError, aiohttp.ClientError):
        return None


def _from_calls(teacher: VlmTeacher, measurement: Measurement) -> list[Finding]:
    stats, family = teacher.caller.stats, teacher.family
    limits = ", ".join(f"{name} {value}" for name, value in sorted(teacher.caller.rate_limits.items()))
    structured: Outcome = (
        "ok" if measurement.structured_output == "json_schema" or family.structure == "plain" else "warning"
    )
    # that a schema is taken does not tell whether replies are held to it
    level = "not asked for" if family.structure == "plain" else f"{measurement.structured_output} accepted"
    findings = [
        Finding("images", "ok", "accepted"),
        Finding("structured output", structured, level),
        Finding("latency", "ok", f"{measurement.seconds_per_call:.2f} s a call"),
        Finding("tokens", "ok", f"{stats.tokens_in} in, {stats.tokens_out} out for {stats.calls} calls"),
    ]
    if stats.thinking_replies:
        findings.append(
            Finding(
                "thinking",
                "warning",
                "the model thinks aloud, which costs tokens; switch it off on the server",
            )
        )
    findings.append(Finding("rate limits", "ok", limits or "no headers"))
    return findings
