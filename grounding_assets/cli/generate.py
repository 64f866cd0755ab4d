"""`auto_label generate`: the asset graph, run in this process over everything that is pending."""

import os
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from grounding_assets.cli.batch import wait_for_jobs
from grounding_assets.cli.instance import persistent_instance
from grounding_assets.cli.interruption import ending_on_signals
from grounding_assets.cli.pilot import full_run_command, pilot_words
from grounding_assets.cli.terminal import TerminalProgress, closing_words
from grounding_assets.cli.words import as_overrides
from grounding_assets.core.budget.gates import check_gates
from grounding_assets.core.budget.pilot import chosen_samples
from grounding_assets.core.dataset.names import dataset_name
from grounding_assets.core.errors import (
    EXIT_OK,
    EXIT_SAMPLES_FAILED,
    EXIT_WAITING,
    Interrupted,
    RunStopped,
    visible,
)
from grounding_assets.core.spec.loading import load_spec
from grounding_assets.core.spec.settings import DataSpec, ImageGroundingSpec, Spec, WorkflowSpec
from grounding_assets.graph import build_defs, steps_in_graph
from grounding_assets.partitions import DataSetKeys
from resources.credentials import Credentials
from resources.dagster_internals import capture_interrupts
from resources.dataset import DataSet
from resources.dead_runs import process_tags
from resources.run_config import overrides_from

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
    spec = load_spec(Path(spec_file), overrides)
    if spec.ignored:
        print(f"Of no effect here, since they are of TAO's other pipelines: {', '.join(spec.ignored)}.")
    credentials = Credentials.of(spec, os.environ)
    dataset = DataSet(spec, credentials)
    dataset.check()
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
            _renew_report(dataset, spec_file, summary.set_size)
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
        check_gates(spec, dataset.workspace())
    if incomplete:
        return EXIT_SAMPLES_FAILED
    return EXIT_WAITING if summary.waits_for_batches else EXIT_OK


def _renew_report(dataset: DataSet, spec_file: str, samples: int) -> None:
    if not (dataset.results_dir / "annotations.jsonl").is_file():
        return
    limit = dataset.spec.image_grounding.report.renew_up_to
    if samples > limit:
        print(
            f"Report:      not renewed, for {samples:,} samples (image_grounding.report.renew_up_to is {limit:,}): "
            f"auto_label report -e {spec_file}"
        )
        return
    file, _ = dataset.write_report()
    print(f"Look at it:  {file}")


def _end_pilot(dataset: DataSet, spec_file: str, overrides: Sequence[str]) -> None:
    chosen = chosen_samples(dataset.workspace().samples.ids, dataset.spec.workflow)
    print(pilot_words(dataset, chosen))
    print(f"The full set: {full_run_command(spec_file, overrides)}")


def _materialize(spec: Spec, credentials: Credentials, progress: TerminalProgress) -> None:
    keys = DataSetKeys(dataset_name(spec))
    # steps and gold shape the graph, so they are the location's, not the run's
    steps = spec.workflow.run_steps
    base = Spec(
        results_dir=spec.results_dir,
        image_grounding=ImageGroundingSpec(
            workflow=WorkflowSpec(steps=spec.workflow.steps), data=DataSpec(gold_jsonl=spec.data.gold_jsonl)
        ),
    )
    outputs = [
        *(step.rollup for step in steps_in_graph(steps)),
        *(["evaluation"] if spec.data.gold_jsonl else []),
    ]
    defs = build_defs(base, credentials, progress=progress, name=keys.name)
    run_config = {
        "resources": {"dataset": {"config": overrides_from(spec, base)}},
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }
    # a signal is kept until the next step begins, instead of breaking into Dagster's own writing
    with capture_interrupts(), persistent_instance() as instance:
        defs.resolve_implicit_global_asset_job_def().execute_in_process(
            run_config=run_config,
            instance=instance,
            asset_selection=[keys.asset(name) for name in (*_ASSETS, *outputs)],
            # from its creation on: a run that is killed before its first step is over, too
            tags=process_tags(),
        )
