"""Examining an endpoint: is it there, does it take the key, the model, images, a schema; how does it write boxes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from grounding_assets.core.budget.account import Account
from grounding_assets.core.errors import GroundingError
from grounding_assets.core.spec.settings import Spec
from resources.credentials import ENVIRONMENT_VARIABLES, Credentials
from resources.vlm.manners import Manners
from resources.vlm.measurements import Measurement
from resources.vlm.measuring import measure
from resources.vlm.probe import Probed, probe
from resources.vlm.resource import (
    VLM_SECTION,
    base_url,
    build_client,
    build_teacher,
    endpoint_of,
    model_name,
    server_settings,
)
from resources.vlm.teacher import VlmTeacher

Outcome = Literal["ok", "warning", "failed"]


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
    """None if no reply came that could be judged."""

    @property
    def passed(self) -> bool:
        return all(finding.outcome != "failed" for finding in self.findings)


async def examine(
    spec: Spec,
    credentials: Credentials,
    account: Account | None = None,
    notice: Callable[[str], None] = lambda text: None,
) -> Examination:
    """Examines the spec's endpoint with two or three listings and a call for each calibration card, which is booked.

    `notice` is told, before each wait, what is waited for.
    """
    client = build_client(spec, credentials)
    notice(f"Asking {client.models_url.partition('?')[0]} …")
    try:
        probed = await probe(client)
    finally:
        await client.aclose()
    findings = _from_probe(spec, probed)
    if probed.unreachable or probed.not_ready or probed.better_base_url:
        return Examination(findings, None)
    notice(f"Sending calibration cards to {model_name(spec)} …")
    teacher = build_teacher(_impatient(spec), credentials, None, account, notice)
    assert isinstance(teacher, VlmTeacher)
    try:
        measurement = await measure(teacher, *endpoint_of(spec), server_settings(spec))
    except GroundingError as error:
        return Examination((*findings, Finding("calibration cards", "failed", str(error))), None)
    finally:
        await teacher.aclose()
    return Examination((*findings, *_from_calls(teacher, measurement)), measurement)


def _impatient(spec: Spec) -> Spec:
    """Whoever asks how an endpoint is wants to hear that it is loading, and not to wait for it."""
    settings = spec.image_grounding
    workflow = settings.workflow.model_copy(update={"patience": 0.0})
    return spec.model_copy(update={"image_grounding": settings.model_copy(update={"workflow": workflow})})


def _from_probe(spec: Spec, probed: Probed) -> tuple[Finding, ...]:
    """What the endpoint says of itself; many answer only some of this, which is no fault."""
    section = f"{VLM_SECTION}.{spec.vlm.backend}"
    if probed.unreachable:
        return (Finding("reachable", "failed", probed.unreachable),)
    answers = probed.remark or f"{probed.address} answers {probed.status}"
    findings = [Finding("reachable", "ok" if 0 < probed.status < 500 else "warning", answers)]
    if probed.better_base_url:
        detail = f"lists no models, but {probed.better_base_url} does: set {section}.base_url to that"
        findings.append(Finding("base_url", "failed", f"{base_url(spec)} {detail}"))
    if probed.key_refused:
        variable = ENVIRONMENT_VARIABLES[spec.vlm.backend]
        findings.append(Finding("key", "failed", f"refused: set {variable} or {section}.api_key"))
    else:
        findings += _models(probed, model_name(spec).removeprefix("models/"))
    if probed.is_ready is not None:
        findings.append(
            Finding("readiness", "ok" if probed.is_ready else "failed", probed.not_ready or "ready")
        )
    return tuple(findings)


def _models(probed: Probed, model: str) -> list[Finding]:
    if not probed.names:
        return [Finding("model", "warning", "the endpoint lists no models; the calls will tell")]
    accepted = Finding("key", "ok", "accepted")
    if model in probed.names:
        return [accepted, Finding("model", "ok", f"{model} is served")]
    shown = ", ".join(probed.names[:5])
    return [accepted, Finding("model", "failed", f"{model} is not among those served: {shown}")]


def _from_calls(teacher: VlmTeacher, measurement: Measurement) -> list[Finding]:
    stats, family = teacher.caller.stats, teacher.family
    limits = ", ".join(f"{name} {value}" for name, value in sorted(teacher.caller.rate_limits.items()))
    plain = family.structure == "plain"
    as_asked = plain or measurement.structured_output == "json_schema"
    # that a schema is taken does not tell whether replies are held to it
    level = "not asked for" if plain else f"{measurement.structured_output} accepted"
    learned = "; ".join(Manners.from_learned(teacher.caller.manners).in_words())
    findings = [
        Finding("images", "ok", "accepted"),
        Finding("structured output", "ok" if as_asked else "warning", level),
        Finding("learned", "ok", learned or "takes every parameter as it is sent"),
        Finding("latency", "ok", f"{measurement.seconds_per_call:.2f} s a call"),
        Finding("tokens", "ok", f"{stats.tokens_in} in, {stats.tokens_out} out for {stats.calls} calls"),
    ]
    if stats.thinking_replies:
        findings.append(
            Finding(
                "thinking",
                "warning",
                "the model sends its reasoning, which costs tokens; switch thinking off on the server",
            )
        )
    findings.append(Finding("rate limits", "ok", limits or "no headers"))
    return findings
