"""Writes the second table of docs/models.md: what `auto_label doctor` makes of simulated endpoints.

    python -m docs.measured

No real model is asked. Each family's simulated endpoint answers in that family's own form over real HTTP,
once exactly and once with every edge moved by up to 3 % of the image's side.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

from docs.tables import PAGES, rows_of, with_table
from grounding_assets.core.spec.loading import validate_spec
from grounding_assets.core.spec.settings import Spec
from resources.credentials import Credentials
from resources.vlm.doctor import examine
from resources.vlm.families import BY_NAME
from resources.vlm.measurements import Measurement
from resources.vlm.measuring import consequence
from resources.vlm.resource import family_of_spec
from tests.endpoints.families import FAMILIES
from tests.endpoints.model import Behaviour
from tests.endpoints.server import KindName, SimulatedEndpoint, running

MARK = "docs/measured.py"
BEHIND: dict[str, KindName] = {"gemini": "gemini", "gpt": "custom", "claude": "custom"}
"""The kind of endpoint; vllm for all others."""
NOISE = 0.03


def measured() -> Iterator[str]:
    """One row a simulated family, then some that are configured as another one."""
    head = ("Simulated model", "Served as", "Configured as", "Exact boxes", "Boxes off by up to 3 %", "A run")
    rows = [_row(name, "") for name in FAMILIES if name != "molmo"]
    rows += [
        _row("qwen3_vl", "Qwen/Qwen2.5-VL-7B-Instruct"),
        _row("qwen2_5_vl", "Qwen/Qwen3-VL-8B-Instruct"),
        _row("gemma", "example/unheard-of-vl"),
    ]
    yield from rows_of(head, rows)


def _row(name: str, served_as: str) -> tuple[str, ...]:
    served_as = served_as or FAMILIES[name].served_as
    verdicts = []
    for noise in (0.0, NOISE):
        endpoint = SimulatedEndpoint(
            BEHIND.get(name, "vllm"), name, model=served_as, behaviour=Behaviour(noise=noise), gold=()
        )
        with running(endpoint):
            spec = _spec(endpoint)
            examination = asyncio.run(examine(spec, Credentials.of(spec, {})))
        assert examination.measurement is not None, examination.findings
        verdicts.append(examination.measurement)
    family = family_of_spec(spec)
    return (
        f"`{name}`",
        f"`{served_as}`",
        f"`{family.name}`",
        *(_verdict(verdict) for verdict in verdicts),
        _verdict_on_runs(verdicts[0]),
    )


def _spec(endpoint: SimulatedEndpoint) -> Spec:
    if endpoint.kind.name == "gemini":
        settings: dict[str, Any] = {
            "base_url": endpoint.base_url,
            "model": endpoint.model,
            "api_key": endpoint.key,
        }
        vlm: dict[str, Any] = {"backend": "gemini", "gemini": settings}
    else:
        settings = {"base_url": endpoint.base_url, "model_name": endpoint.model, "api_key": endpoint.key}
        vlm = {"backend": "openai", "openai": settings}
    return validate_spec({"results_dir": "unused", "image_grounding": {"vlm": vlm}}, where="measured")


def _verdict(measured: Measurement) -> str:
    best = next(iter(measured.iou))
    if measured.convention is None:
        return f"none chosen, `{best}` {measured.iou[best]:.2f}"
    return f"`{measured.convention}` {measured.iou[measured.convention]:.2f}"


def _verdict_on_runs(measured: Measurement) -> str:
    follows = consequence(measured)
    return (
        "goes by the measurement"
        if follows.kind == "goes on" and not BY_NAME[measured.family].is_sure
        else follows.kind
    )


if __name__ == "__main__":
    page = PAGES / "models.md"
    page.write_text(with_table(page.read_text(encoding="utf-8"), "".join(measured()), MARK), encoding="utf-8")
