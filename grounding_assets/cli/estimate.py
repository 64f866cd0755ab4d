"""`auto_label estimate`: what the rest of a data set will take, from what is there. Sends nothing."""

from collections.abc import Callable, Sequence
from pathlib import Path

from grounding_assets.cli.picture_sizes import print_sizes
from grounding_assets.cli.pilot import WITHOUT_VERIFIER, left_out_words
from grounding_assets.cli.terminal import duration, print_table
from grounding_assets.cli.words import split_words, switch
from grounding_assets.core.budget.call_file import read_ledger
from grounding_assets.core.budget.cost import CONFIDENCE, Estimate, Projection, Usage, project
from grounding_assets.core.budget.gates import figures_so_far
from grounding_assets.core.budget.ledger import Spent
from grounding_assets.core.budget.pilot import PilotFigures, added_up, project_seconds
from grounding_assets.core.budget.prices import Prices
from grounding_assets.core.budget.stored_usage import stored_usage
from grounding_assets.core.errors import EXIT_OK, InputError, SpecError
from grounding_assets.core.shards.layout import refuse_cut
from grounding_assets.core.spec.loading import load_spec
from grounding_assets.core.spec.paths import scheme_of, shown_address
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.steps import Step
from resources.credentials import Credentials
from resources.dataset import DataSet
from resources.shards import is_sharded, parts_of

_COUNTED_IN_RESULTS = "Counted in the stored results: calls that a kill cut off, and what was deleted since, are not among them."


def estimate(spec_file: str, words: Sequence[str]) -> int:
    """Prints what was spent and what the samples without a result will take, with intervals."""
    given, overrides = split_words(words, ("sizes",))
    shows_sizes = switch(given, "sizes")
    spec = load_spec(Path(spec_file), overrides, stored_shard=True)
    if shows_sizes and scheme_of(spec.results_dir):
        raise SpecError(
            f"sizes=true works on a results folder of this machine, and the results are in {shown_address(spec.results_dir)}: run a pilot "
            "with workflow.limit=20 and results_dir=FOLDER, then this with the same results_dir."
        )
    if shows_sizes:
        refuse_cut(spec)
    dataset = DataSet(spec, Credentials.of(spec))
    prices = Prices.of(spec)
    figures, log, lost = _so_far(dataset, prices)
    if not figures.done:
        raise InputError(
            "There is no result yet to estimate from: run a pilot first, such as "
            f"`auto_label generate -e {spec_file} workflow.limit=20`."
        )
    spent = log.total(prices)
    print(f"Spent so far: {_spent(spent, prices.currency)}.")
    if spent.projected:
        print(_not_reported(spent, lost))
    if scheme_of(spec.results_dir):
        print(_COUNTED_IN_RESULTS)
    if not figures.remaining:
        print("Nothing is left to do: every sample has a result.")
        return EXIT_OK
    if figures.without_image:
        print(left_out_words(figures))
    if not figures.to_ask:
        return EXIT_OK
    projection = project(figures.usage, figures.to_ask)
    _print_projection(projection, figures, spec, prices.currency)
    # a data set in shards has no batches, and shows no sizes
    annotating = PilotFigures() if is_sharded(spec) else _of_annotating_steps(figures, dataset, spec, prices)
    if (by_batch := both_ways(annotating, spec, prices)) is not None:
        print(by_batch)
    for line in _remarks(figures, spec, prices, log) + _caps_in_the_way(
        spec, spent, projection, prices.currency
    ):
        print(line)
    if shows_sizes and annotating.done and annotating.to_ask:
        print_sizes(spec, dataset.workspace(), project(annotating.usage, annotating.to_ask))
    return EXIT_OK


def _so_far(dataset: DataSet, prices: Prices) -> tuple[PilotFigures, Spent, int]:
    """What the results so far are, what was spent, and how many calls a kill cut off.

    In object storage there is no log of calls: what was spent is counted in the results, each shard brought here once.
    """
    steps, in_results = dataset.spec.workflow.run_steps, Spent(Usage(), Usage())
    stored = bool(scheme_of(dataset.spec.results_dir))
    figures: list[PilotFigures] = []
    for part in parts_of(dataset):
        figures.append(figures_so_far(part.workspace(), steps, prices))
        if stored:
            taken = stored_usage(part.results_dir, prices.has_verifier)
            in_results = Spent(in_results.teacher + taken.teacher, in_results.verifier + taken.verifier)
    if stored:
        return added_up(figures), in_results, 0
    ledger = read_ledger(dataset.results_dir, prices.has_verifier)
    return added_up(figures), ledger.spent(), ledger.lost()


def _of_annotating_steps(figures: PilotFigures, dataset: DataSet, spec: Spec, prices: Prices) -> PilotFigures:
    """The same without verification, which may ask another model and is never asked by batch."""
    steps = [step for step in spec.workflow.run_steps if not step.asks_verifier]
    if len(steps) == len(spec.workflow.run_steps):
        return figures
    return added_up(figures_so_far(part.workspace(), steps, prices) for part in parts_of(dataset))


def both_ways(figures: PilotFigures, spec: Spec, prices: Prices) -> str | None:
    """What the calls of the annotating steps cost one by one and by batch; None if that is not known, or there are none.

    `figures` are of these steps alone.
    """
    batch = prices.batch
    if batch is None or not figures.done or not figures.to_ask:
        return None
    projection = project(figures.usage, figures.to_ask)
    calls, cost = projection.calls.expected, projection.cost
    time = project_seconds(figures, projection.samples, spec.workflow.max_workers).expected
    within = f" in about {duration(time)}" if time >= 1 else ""
    share = spec.vlm.price.batch_share
    verified = Step.VERIFICATION in spec.workflow.run_steps
    apart = ' Those of step "2" are ordinary calls either way, and come on top.' if verified else ""
    return (
        f"{calls:,.0f} calls{' of the other steps' if verified else ''}: {cost.expected:,.2f} {batch.currency} by ordinary "
        f"calls{within}, {share * cost.expected:,.2f} {batch.currency} (at most {share * cost.high:,.2f}) by batch within a day, "
        f"if the endpoint has batch jobs.{apart}"
    )


def _print_projection(
    projection: Projection, figures: PilotFigures, spec: Spec, currency: str | None
) -> None:
    failed, workers = figures.failed.total(), spec.workflow.max_workers
    seen = f"{figures.done:,} that are done" + (f" and {failed:,} that failed" if failed else "")
    shown: list[tuple[str, Estimate, Callable[[float], str]]] = [
        ("Calls", projection.calls, "{:,.0f}".format),
        ("Tokens in", projection.tokens_in, "{:,.0f}".format),
        ("Tokens out", projection.tokens_out, "{:,.0f}".format),
    ]
    if currency is not None:
        shown.append((f"Cost, {currency}", projection.cost, "{:,.2f}".format))
    seconds = project_seconds(figures, projection.samples, workers)
    shown.append((f"Time, {workers} workers", seconds, duration))
    print_table(
        f"The remaining {projection.samples:,} samples will take, by {seen}",
        [
            ("", "Expected", f"{100 * CONFIDENCE:g} % from", "to"),
            *((name, words(one.expected), words(one.low), words(one.high)) for name, one, words in shown),
        ],
    )


def _spent(spent: Usage, currency: str | None) -> str:
    words = f"{spent.calls:,} calls, {spent.tokens_in:,} tokens in, {spent.tokens_out:,} tokens out"
    return words if currency is None else f"{words}, {spent.cost:,.2f} {currency}"


def _not_reported(spent: Usage, lost: int) -> str:
    words = f"Of {spent.projected:,} of these calls the endpoint reported no tokens; they are counted as projected"
    return (
        f"{words}, and {lost:,} that a kill or an interruption cut off at the most that they can have taken."
        if lost
        else f"{words}."
    )


def _remarks(figures: PilotFigures, spec: Spec, prices: Prices, log: Spent) -> list[str]:
    remarks = []
    if not any(usage.tokens_in + usage.tokens_out for usage in figures.usage):
        remarks.append("No tokens are known: the teacher reports none.")
    elif prices.currency is None:
        remarks.append("Set image_grounding.vlm.price to see this in money.")
    elif prices.lacks_verifier(spec.workflow.run_steps) or log.has_unpriced_verifier(prices):
        remarks.append(WITHOUT_VERIFIER)
    return remarks


def _caps_in_the_way(spec: Spec, spent: Usage, projection: Projection, currency: str | None) -> list[str]:
    workflow = spec.workflow
    expected: list[tuple[str, float, float]] = [
        ("max_calls", workflow.max_calls, spent.calls + projection.calls.high),
        (
            "max_tokens",
            workflow.max_tokens,
            spent.tokens_in + spent.tokens_out + projection.tokens_in.high + projection.tokens_out.high,
        ),
    ]
    if currency is not None:
        expected.append(("max_cost", workflow.max_cost, spent.cost + projection.cost.high))
    return [
        f"workflow.{name}={cap:,} may stop the run before its end: up to {total:,.6g} in all."
        for name, cap, total in expected
        if cap and total > cap
    ]
