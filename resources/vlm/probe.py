"""What an endpoint says of itself before any call is paid for: is it there, ready, does it take the key, what it serves.

One probe for `doctor`, `init` and `endpoint_check`. It asks through the client of a run, so that proxies,
certificates, headers and redirects are a run's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from grounding_assets.core.annotation.calls import CallError
from grounding_assets.core.errors import Reason
from resources.vlm.client import EndpointClient
from resources.vlm.refusals import Refusal, document_of, sign_of
from resources.vlm.untyped import as_dict, dicts_in

TIMEOUT_S = 10.0
"""Of each of the up to three requests."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of it. Names and words are the endpoint's own: make them visible before they are shown."""

    address: str
    """Where it was asked for the models that it serves."""
    status: int = 0
    """Of the answer to that; 0 if none came that can be used."""
    unreachable: str = ""
    """Why nothing answers, in a sentence; empty if something does."""
    remark: str = ""
    """Why its answer cannot be used, in a sentence."""
    names: tuple[str, ...] = ()
    """The models that it serves; empty if it lists none, as many do."""
    key_refused: bool = False
    better_base_url: str = ""
    """The base URL that lists models, or wants a key for that, if the configured one does not."""
    is_ready: bool | None = None
    """None if it does not tell."""
    not_ready: str = ""
    """What it says of that, and what to do."""


async def probe(client: EndpointClient) -> Probed:
    """Asks for the models, under `/v1` too if the address lacks a path, and for readiness. Raises nothing."""
    probed = await _listed(client, client.models_url)
    if probed.unreachable:
        return probed
    if client.may_lack_v1 and not (probed.names or probed.key_refused):
        base_url = f"{client.models_url.removesuffix('/models')}/v1"
        under_v1 = await _listed(client, f"{base_url}/models")
        if under_v1.names or under_v1.key_refused:
            probed = replace(under_v1, better_base_url=base_url)
    is_ready, not_ready = await _readiness(client)
    return replace(probed, is_ready=is_ready, not_ready=not_ready)


async def _listed(client: EndpointClient, url: str) -> Probed:
    address = url.partition("?")[0]
    try:
        answer = await client.get(url, TIMEOUT_S)
    except CallError as error:
        if error.reason is Reason.TIMEOUT:
            return Probed(address, unreachable=f"{address} did not answer within {TIMEOUT_S:g} s.")
        return (
            Probed(address, remark=str(error)) if error.reached else Probed(address, unreachable=str(error))
        )
    document = document_of(answer.body)
    if answer.status == 200:
        return Probed(address, 200, names=_names(document))
    about_key = answer.status == 403 or sign_of(Refusal(answer.status, document, asked="")).is_about_key
    return Probed(address, answer.status, key_refused=about_key)


async def _readiness(client: EndpointClient) -> tuple[bool | None, str]:
    """A TAO inference microservice tells how far it is: 200 ready, 202 loading, 503 loading or failed."""
    if not client.readiness_url:
        return None, ""
    try:
        answer = await client.get(client.readiness_url, TIMEOUT_S)
    except CallError:
        # hardly any endpoint has such a route
        return None, ""
    body = document_of(answer.body)
    # a server that has no such route may answer 200 as well, with an error in the body
    if answer.status == 200 and isinstance(body, dict) and "error" not in body:
        return True, ""
    if answer.status in (202, 503) and isinstance(body, dict):
        return False, f"{answer.status} {_not_ready(body)}"
    return None, ""


def _not_ready(body: Mapping[str, Any]) -> str:
    """Why, by either release's form of the body, and what to do."""
    state = str(as_dict(body.get("error")).get("type") or body.get("reason") or "not ready")[:100]
    if state == "model_load_error":
        return f"{state}; waiting does not help: the server's log says why the model did not load"
    return f"{state}; wait, then try again"


def _names(document: Any) -> tuple[str, ...]:
    """Of OpenAI's form (`data[].id`) or Gemini's (`models[].name`, those that generate text)."""
    listed = as_dict(document)
    rows = dicts_in(listed.get("data") or listed.get("models"))
    names = [row.get("id") or row.get("name") for row in rows if _generates(row)]
    return tuple(name.removeprefix("models/") for name in names if isinstance(name, str) and name)


def _generates(row: dict[str, Any]) -> bool:
    methods = row.get("supportedGenerationMethods")
    return methods is None or (isinstance(methods, list) and "generateContent" in methods)
