"""`auto_label generate`: the asset graph, run in this process over everything that is pending."""

from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import dagster as dg

from grounding_assets.assets.outcome import Outcome, outcome_of_runs
from grounding_assets.cli.instance import persistent_instance
from grounding_assets.cli.interruption import ending_on_signals
from grounding_assets.cli.materializing import Graph
from grounding_assets.cli.pilot import end_pilot
from grounding_assets.cli.report import renew_report
from grounding_assets.cli.shards.generate import generate_shards
from grounding_assets.cli.terminal import TerminalProgress
from grounding_assets.cli.words import as_overrides
from grounding_assets.core.budget.gates import check_gates
from grounding_assets.core.errors import EXIT_WAITING, RunStopped, visible
from grounding_assets.core.spec.loading import load_spec
from grounding_assets.core.spec.settings import Spec
from grounding_assets.graph import steps_in_graph
from resources.credentials import Credentials
from resources.dataset import DataSet
from resources.shards import is_sharded

_ASSETS = ("samples", "annotation_run", "annotations")


def generate(spec_file: str, overrides: Sequence[str], *, wait: bool = False) -> int:
    """Annotates what is pending and writes the rollups; returns the exit code. `wait`: for batch jobs as well."""
    overrides = as_overrides(overrides, "image_grounding.workflow", ("redo",))
    with ending_on_signals():
        code = _generate(spec_file, overrides)
        while wait and code == EXIT_WAITING:
            # with batch jobs and their client behind it, which other runs need not load
            from grounding_assets.cli.batch import wait_for_jobs

            wait_for_jobs(load_spec(Path(spec_file), overrides))
            code = _generate(spec_file, overrides)
        return code


def _generate(spec_file: str, overrides: Sequence[str]) -> int:
    spec = load_spec(Path(spec_file), overrides, stored_shard=True)
    if spec.ignored:
        print(f"Ignored, since they belong to TAO's other pipelines: {', '.join(spec.ignored)}.")
    credentials = Credentials.of(spec)
    dataset = DataSet(spec, credentials)
    dataset.check()
    if is_sharded(spec):
        return generate_shards(dataset, spec_file, overrides)
    outcome, failure = _materialize(spec, credentials)
    if outcome is None:
        raise RunStopped(failure or "The run ended before it reached a sample.")
    results = dataset.results_dir
    if (results / "annotations.jsonl").is_file():
        print(f"Annotations: {results / 'annotations.jsonl'}")
    try:
        if not outcome.is_interrupted:
            renew_report(dataset, spec_file, outcome.set_size)
    finally:
        # that the page cannot be written says less than why the run ended
        if outcome.stopped_with is not None:
            raise RunStopped(outcome.incomplete, outcome.stopped_with)
    if failure and not outcome.incomplete:
        raise RunStopped(failure)
    if outcome.incomplete:
        print(f"Failures:    {results / 'failures.jsonl'}; the same command tries them again.")
        for words in outcome.first_failures.splitlines():
            print(f"             {visible(words)}")
    if spec.workflow.is_pilot:
        end_pilot(dataset, spec_file, overrides)
        check_gates(spec, dataset.workspace(), lambda: dataset.gold_file)
    return outcome.exit_code


def _materialize(spec: Spec, credentials: Credentials) -> tuple[Outcome | None, str]:
    """What the run came to, None if it did not reach a sample; and why it failed, empty if it did not."""
    outputs = [
        *(step.rollup for step in steps_in_graph(spec.workflow.run_steps)),
        *(["evaluation"] if spec.data.gold_jsonl else []),
    ]
    graph, run_id, failure = Graph(spec, credentials, TerminalProgress()), str(uuid4()), ""
    with persistent_instance() as instance:
        try:
            graph.materialize(instance, [*_ASSETS, *outputs], run_id=run_id)
        except dg.Failure as raised:
            failure = raised.description or "The run failed."
        return outcome_of_runs(instance, graph.keys, [run_id]), failure
