"""`auto_label generate`: the asset graph, run in this process over everything that is pending."""

import os
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from grounding_assets.cli.batch import wait_for_jobs
from grounding_assets.cli.instance import persistent_instance
from grounding_assets.cli.interruption import ending_on_signals
from grounding_assets.cli.materializing import Graph
from grounding_assets.cli.pilot import full_run_command, pilot_words
from grounding_assets.cli.report import renew_report
from grounding_assets.cli.shards.generate import generate_shards
from grounding_assets.cli.terminal import TerminalProgress, closing_words
from grounding_assets.cli.words import as_overrides
from grounding_assets.core.budget.gates import check_gates
from grounding_assets.core.budget.pilot import chosen_samples
from grounding_assets.core.errors import (
    EXIT_OK,
    EXIT_SAMPLES_FAILED,
    EXIT_WAITING,
    Interrupted,
    RunStopped,
    visible,
)
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
            wait_for_jobs(load_spec(Path(spec_file), overrides))
            code = _generate(spec_file, overrides)
        return code


def _generate(spec_file: str, overrides: Sequence[str]) -> int:
    spec = load_spec(Path(spec_file), overrides, stored_shard=True)
    if spec.ignored:
        print(f"Of no effect here, since they are of TAO's other pipelines: {', '.join(spec.ignored)}.")
    credentials = Credentials.of(spec, os.environ)
    dataset = DataSet(spec, credentials)
    dataset.check()
    if is_sharded(spec):
        return generate_shards(dataset, spec_file, overrides)
    progress = TerminalProgress()
    failure: dg.Failure | None = None
    try:
        _materialize(spec, credentials, progress)
    except dg.DagsterExecutionInterruptedError:
        raise KeyboardInterrupt from None
    except dg.Failure as raised:
        failure = raised
    if failure is not None and progress.summary is None:
        raise RunStopped(failure.description or "The run failed.")
    summary = progress.summary
    if summary is None:
        raise RunStopped("The run ended before it reached a sample.")
    print(closing_words(summary))
    if summary.left_out_lines():
        print(f"Input:      {summary.left_out_lines()}")
    for warning in summary.warnings:
        print(f"Warning:     {visible(warning)}")
    stop, results = summary.stopped_by, dataset.results_dir
    if (results / "annotations.jsonl").is_file():
        print(f"Annotations: {results / 'annotations.jsonl'}")
    try:
        if not isinstance(stop, Interrupted):
            renew_report(dataset, spec_file, summary.set_size)
    finally:
        # that the page cannot be written says less than why the run ended
        if stop is not None:
            raise stop
    incomplete = bool(summary.incompleteness)
    if failure is not None and not incomplete:
        raise RunStopped(failure.description or "The run failed.")
    if summary.batch_words:
        print(f"Batches:     {visible(summary.batch_words)}")
    if incomplete:
        print(f"Failures:    {results / 'failures.jsonl'}; the same command tries them again.")
        for words in summary.first_failures:
            print(f"             {visible(words)}")
    if spec.workflow.is_pilot:
        _end_pilot(dataset, spec_file, overrides)
        check_gates(spec, dataset.workspace(), lambda: dataset.gold_file)
    if incomplete:
        return EXIT_SAMPLES_FAILED
    return EXIT_WAITING if summary.waits_for_batches else EXIT_OK


def _end_pilot(dataset: DataSet, spec_file: str, overrides: Sequence[str]) -> None:
    chosen = chosen_samples(dataset.workspace().samples.ids, dataset.spec.workflow)
    print(pilot_words(dataset, chosen))
    print(f"The full set: {full_run_command(spec_file, overrides)}")


def _materialize(spec: Spec, credentials: Credentials, progress: TerminalProgress) -> None:
    outputs = [
        *(step.rollup for step in steps_in_graph(spec.workflow.run_steps)),
        *(["evaluation"] if spec.data.gold_jsonl else []),
    ]
    graph = Graph(spec, credentials, progress)
    with persistent_instance() as instance:
        graph.materialize(instance, [*_ASSETS, *outputs])
