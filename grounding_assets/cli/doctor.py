"""`auto_label doctor`: what an endpoint can do, and which coordinates it answers in."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from grounding_assets.cli.terminal import notice
from grounding_assets.core.errors import EXIT_OK, EXIT_SAMPLES_FAILED, visible
from grounding_assets.core.spec.loading import load_spec
from grounding_assets.core.spec.settings import Spec
from resources.credentials import Credentials
from resources.dataset import DataSet
from resources.vlm.doctor import Examination
from resources.vlm.measurements import Measurement
from resources.vlm.measuring import consequence
from resources.vlm.resource import check_teacher, family_of_spec, model_name

_CONVENTIONS_SHOWN = 6


def doctor(spec_file: str, overrides: Sequence[str]) -> int:
    """Examines the spec's endpoint; 0 if samples can be annotated with it as configured, else 1."""
    spec = load_spec(Path(spec_file), overrides)
    credentials = Credentials.of(spec)
    check_teacher(spec, credentials)
    console = Console(highlight=False)
    if spec.vlm.backend == "local":
        console.print(
            "The embedded teacher needs no endpoint; its boxes are read as its detector gives them."
        )
        return EXIT_OK

    examination = asyncio.run(DataSet(spec, credentials).examine(notice))
    return EXIT_OK if show_examination(console, spec, examination) else EXIT_SAMPLES_FAILED


def show_examination(console: Console, spec: Spec, examination: Examination) -> bool:
    """Prints what was found; returns whether samples can be annotated with the endpoint as configured."""
    table = Table(
        title=escape(f"{model_name(spec)} as family {family_of_spec(spec).name}"), show_header=False
    )
    for finding in examination.findings:
        colour = {"ok": "green", "warning": "yellow", "failed": "red"}[finding.outcome]
        # the endpoint's own words, in which a bracket is no markup
        table.add_row(finding.subject, f"[{colour}]{finding.outcome}[/]", escape(visible(finding.detail)))
    console.print(table)
    measured = examination.measurement
    if measured is None:
        return False
    _print_measurement(console, measured)
    follows = consequence(measured)
    console.print(escape(follows.text if follows.kind != "stops" else f"A run would stop. {follows.text}"))
    return examination.passed and follows.kind == "goes on"


def _print_measurement(console: Console, measured: Measurement) -> None:
    table = Table(title="Mean IoU of its boxes, read as", show_header=False)
    for name, iou in list(measured.iou.items())[:_CONVENTIONS_SHOWN]:
        table.add_row(name, f"{iou:.3f}", "<- chosen" if name == measured.convention else "")
    console.print(table)
    for width, height, seen_width, seen_height in measured.seen:
        console.print(f"A card of {width} x {height} is seen as {seen_width} x {seen_height} pixels.")
