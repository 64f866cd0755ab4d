"""What a pilot prints at its end: what it found and took, what the rest will take, and what to do next."""

import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from grounding_assets.cli.terminal import duration
from grounding_assets.core.budget.cost import CONFIDENCE, Estimate, Usage, project
from grounding_assets.core.budget.pilot import (
    PilotFigures,
    added_up,
    chosen_samples,
    pilot_figures,
    project_seconds,
)
from grounding_assets.core.budget.prices import Prices
from grounding_assets.core.spec.loading import load_spec
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.steps import Step
from resources.dataset import DataSet
from resources.shards import is_sharded, lines_of_run, manifest_of, parts_of

WITHOUT_VERIFIER = (
    "The money leaves out the verifier's model: set image_grounding.vlm_verifier.price to see that, too."
)
_CHOOSING = re.compile(r"[+~]*(image_grounding\.)?workflow\.(limit|sample|seed)\b")


def end_pilot(dataset: DataSet, spec_file: str, overrides: Sequence[str]) -> PilotFigures:
    """Prints what the pilot came to, and the command that annotates the whole set."""
    figures = figures_of_pilot(dataset)
    print(pilot_words(dataset.spec, figures))
    print(f"The full set: {full_run_command(spec_file, overrides)}")
    return figures


def figures_of_pilot(dataset: DataSet) -> PilotFigures:
    """Of the samples that a run with this spec chooses, in all shards if there are any."""
    spec, prices = dataset.spec, Prices.of(dataset.spec)
    figures = added_up(
        pilot_figures(
            part.workspace(),
            chosen_samples(part.workspace().samples.ids, part.spec.workflow),
            spec.workflow.run_steps,
            prices,
        )
        for part in parts_of(dataset, of_run=True)
    )
    if is_sharded(spec) and not spec.data.shard:
        # lines of shards that it did not touch are among those that are left
        manifest = manifest_of(spec)
        touched = lines_of_run(spec, manifest)
        others = sum(manifest.slice_of(key).lines for key in manifest.keys if key not in touched)
        figures.set_size += others
        figures.remaining += others
    return figures


def pilot_words(spec: Spec, figures: PilotFigures) -> str:
    """What these figures come to, and what the rest of the set will take."""
    prices = Prices.of(spec)
    # a run that redoes everything redoes the pilot, too
    remaining = figures.set_size if spec.workflow.force_reprocess else figures.to_ask
    lines = [
        f"Pilot of {figures.samples:,} of {figures.set_size:,} samples",
        f"  found   {_found(figures)}",
        f"  failed  {_failed(figures)}",
        f"  spent   {_spent(figures.spent, prices.currency)}, {duration(sum(figures.seconds))} of the model's time",
    ]
    if prices.currency is not None and prices.lacks_verifier(spec.workflow.run_steps):
        lines.append(WITHOUT_VERIFIER)
    if figures.without_image:
        lines.append(left_out_words(figures))
    if not figures.remaining:
        return "\n".join([*lines, "That was the whole set."])
    if not remaining:
        return "\n".join(lines)
    if not figures.done:
        return "\n".join([*lines, "No sample has a result, so nothing can be said of the rest yet."])
    return "\n".join([*lines, *_prediction(figures, remaining, spec, prices.currency)])


def left_out_words(figures: PilotFigures) -> str:
    return (
        f"{figures.without_image:,} samples take no call and are left out here: their images are not there."
    )


def full_run_command(spec_file: str, overrides: Sequence[str]) -> str:
    """The command that annotates the whole set with the same settings. Holds no key."""
    kept = [text for text in overrides if not _CHOOSING.match(text)]
    workflow = load_spec(Path(spec_file), kept, stored_shard=True).workflow
    kept += [f"workflow.{name}=0" for name in ("limit", "sample") if getattr(workflow, name)]
    shown = [f"{text.partition('=')[0]}=…" if "api_key" in text else text for text in kept]
    return shlex.join(["auto_label", "generate", "-e", spec_file, *shown])


def _found(figures: PilotFigures) -> str:
    words = f"{_count(figures.expressions, 'expression')} in {_count(figures.done, 'sample')}"
    if Step.GROUNDING in figures.steps:
        share = figures.without_box / figures.expressions if figures.expressions else 0.0
        words += f", {_count(figures.boxes, 'box')}; {figures.without_box:,} expressions ({share:.0%}) without a box"
    return words


def _failed(figures: PilotFigures) -> str:
    if not figures.failed:
        return "none"
    return ", ".join(f"{count:,} {reason}" for reason, count in figures.failed.most_common())


def _spent(spent: Usage, currency: str | None) -> str:
    if not spent.calls:
        return "no calls"
    words = f"{_count(spent.calls, 'call')}, {spent.tokens_in:,} tokens in, {spent.tokens_out:,} tokens out"
    if not spent.tokens_in + spent.tokens_out:
        words += " (the endpoint reports no tokens)"
    return words if currency is None else f"{words}, {spent.cost:,.2f} {currency}"


def _prediction(figures: PilotFigures, remaining: int, spec: Spec, currency: str | None) -> list[str]:
    total = project(figures.usage, remaining)
    workers = spec.workflow.max_workers
    time = project_seconds(figures, remaining, workers)
    rows = [("calls", total.calls), ("tokens in", total.tokens_in), ("tokens out", total.tokens_out)]
    shown = [(name, _interval(estimate, "{:,.0f}".format)) for name, estimate in rows if estimate.high]
    if currency is not None:
        shown.append(("cost", f"{_interval(total.cost, '{:,.2f}'.format)} {currency}"))
    shown.append(("time", f"{_interval(time, duration)} with {_count(workers, 'worker')}"))
    other = "samples of the set" if remaining == figures.set_size else "other samples"
    return [
        f"At this rate the {remaining:,} {other} will take ({CONFIDENCE:.0%} interval in brackets)",
        *(f"  {name:<10}  {words}" for name, words in shown),
    ]


def _interval(estimate: Estimate, words: Callable[[float], str]) -> str:
    return f"{words(estimate.expected)} [{words(estimate.low)} to {words(estimate.high)}]"


def _count(number: int, noun: str) -> str:
    plural = f"{noun}es" if noun.endswith("x") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
