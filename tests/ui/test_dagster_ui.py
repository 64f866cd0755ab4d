"""The Dagster UI in a real browser, one thing that a user does in each test.

Each test has a project and a `dagster dev` of its own. Pictures of what was seen are left in `.ci/output/`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, Keys

from tests.corpus import needs_corpus
from tests.doors.project import (
    Project,
    captions_asked,
    coco24_rows,
    endpoint_settings,
    make_project,
    refusing,
    sample_calls,
)
from tests.endpoints.faults import Faults
from tests.endpoints.server import Latency, SimulatedEndpoint, running
from tests.report.browser import needs_chromium, opened_browser
from tests.ui.dagster_dev import running_dagster, wait_for
from tests.ui.pages import DagsterPages

pytestmark = [needs_corpus("coco24"), needs_chromium]
ROWS = coco24_rows(20)
FIRST_PHOTO = ROWS[0]["image_id"]
"""Of five captions, which are the first five partitions."""
RANGE = {"key": "dagster/asset_partition_range_start", "value": FIRST_PHOTO}
REFUSED, ONE = ROWS[3]["caption"], ROWS[15]
ANNOTATING = ("samples", "endpoint_check", "annotation_run", "step_0_annotations", "step_1_annotations",
              "annotations")  # fmt: skip
ASSETS = (*ANNOTATING, "expressions", "groundings", "report")
GROUPS = ("input", "annotation", "rollups", "report")


@dataclass(frozen=True)
class Seen:
    """A project, the endpoint that it asks, and its pages."""

    project: Project
    endpoint: SimulatedEndpoint
    page: DagsterPages

    def register_samples(self) -> None:
        run = self.page.dev.materialize("samples", "endpoint_check")
        assert self.page.dev.finished(run) == "SUCCESS"


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    with opened_browser() as chromium:
        yield chromium


@pytest.fixture
def ui(tmp_path: Path, browser: Chrome) -> Iterator[Seen]:
    """20 samples that are not registered yet, and an endpoint that answers about each."""
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        with project.spec.open("a", encoding="utf-8") as spec:
            spec.write("  checks: {max_failed_share: 0.04}\n")
        project.write_input(ROWS)
        with running_dagster(project) as dev:
            yield Seen(project, endpoint, DagsterPages(browser, dev))


def counts(failed: int, materialized: int, missing: int) -> tuple[str, ...]:
    """What the partitions page of an asset must show."""
    return f"Failed ({failed})", f"Materialized ({materialized})", f"Missing ({missing})"


def asked(ui: Seen, since: int) -> set[str]:
    """The captions of the requests after the first `since`, with white space collapsed as step 0 does it."""
    return {" ".join(caption.split()) for caption in captions_asked(ui.endpoint, since)}


def test_a_spec_is_shown_as_a_graph_or_as_its_error(ui: Seen) -> None:
    page = ui.page
    page.open("/asset-groups", *GROUPS)
    expanded = ",".join(f"global@global:{group}" for group in GROUPS)
    page.open(f"/asset-groups?expanded={expanded}", *ASSETS)
    page.shoot("graph")

    text = ui.project.spec.read_text(encoding="utf-8")
    ui.project.spec.write_text(text.replace("input_jsonl", "input_jsnl"), encoding="utf-8")
    page.open("/deployment/locations", "grounding_assets.definitions", "Loaded")
    page.click("Reload all")
    page.see("unknown field 'image_grounding.data.input_jsnl'", "input_jsonl")
    page.shoot("broken-spec")


def test_samples_become_partitions_and_one_is_annotated(ui: Seen) -> None:
    page = ui.page
    page.tick("samples", "endpoint_check")
    page.click("Materialize selected")
    page.see("Launched run")
    wait_for(lambda: page.dev.partition_counts("groundings")["numPartitions"] == 20, "20 partitions")
    assert page.dev.finished(page.dev.run_ids()[0]) == "SUCCESS"
    page.open("/assets/tested/groundings?view=partitions", FIRST_PHOTO, *counts(0, 0, 20))

    page.tick("expressions", "groundings")
    page.click("Materialize selected")
    page.choose_partitions(ONE["image_id"], ONE["image_id"])
    page.click("Launch 1 run")
    page.see("Launched run")
    (run,) = page.dev.run_ids(tags=[{"key": "dagster/partition", "value": ONE["image_id"]}])
    assert page.dev.finished(run) == "SUCCESS"
    assert asked(ui, 0) == {ONE["caption"]}
    page.open(f"/assets/tested/groundings?view=partitions&partition={ONE['image_id']}", run[:8])
    text = page.see("Materialized", "attempts", "boxes", "expressions", "model", "seconds", "tokens")
    assert "Unsynced" not in text
    page.shoot("partition")


def test_a_backfill_over_a_range_and_its_failed_partitions_again(ui: Seen) -> None:
    page = ui.page
    ui.endpoint.faults = refusing(REFUSED)
    ui.register_samples()
    page.tick("expressions", "groundings")
    page.click("Materialize selected")
    page.choose_partitions(FIRST_PHOTO, "Select all (5)")
    page.see("5 partitions")
    page.shoot("backfill")
    page.click("Launch backfill")
    page.see("Created backfill")
    wait_for(page.dev.backfill_is_complete, "the backfill's end", within_s=120)
    (failed,) = page.dev.run_ids(tags=[RANGE])
    page.open("/assets/tested/groundings?view=partitions", *counts(1, 4, 15))
    page.open("/assets/tested/expressions?view=partitions", *counts(1, 4, 15))
    page.shoot("partitions")

    before = len(ui.endpoint.requests)
    ui.endpoint.faults = Faults()
    page.open(f"/runs/{failed}", "Re-execute all")
    page.click_and_confirm("Re-execute all", "Re-execution within backfill")
    wait_for(lambda: failed not in page.browser.current_url, "the page of the new run")
    assert page.dev.finished(page.dev.run_ids()[0]) == "SUCCESS"
    assert asked(ui, before) == {REFUSED}, "done samples are not asked about again"
    page.open("/assets/tested/groundings?view=partitions", *counts(0, 5, 15))


def test_a_failed_partition_says_why_and_what_to_do(ui: Seen) -> None:
    page = ui.page
    ui.endpoint.faults = refusing(REFUSED)
    assert ui.project.generate().returncode == 1
    (failed,) = ui.project.lines("failures.jsonl")
    page.open(
        f"/assets/tested/groundings?view=partitions&partition={failed['sample_id']}", "failed, and did not"
    )
    page.click("View all historical events (1)")
    page.see(f"Historical events for {failed['sample_id']}")
    page.disclose()
    text = page.see("refused", "what_to_do", "Take another model for this sample")
    assert "report.html#" in text
    page.shoot("failed-partition")


def test_launchpad_overrides_take_effect(ui: Seen) -> None:
    page = ui.page
    ui.register_samples()
    ui.endpoint.recorder.reset()
    ui.endpoint.latency = Latency(0.03)
    page.open("/assets/tested/annotation_run", "Materialize")
    page.click_and_confirm("Materialize", "Are you sure?", held=Keys.SHIFT)
    page.write_config(
        "resources:\n  dataset:\n    config:\n"
        "      workflow: {steps: ['0'], max_workers: 1}\n      vlm: {openai: {temperature: 0.11}}\n"
    )
    page.see("No errors")
    page.shoot("launchpad")
    page.click("Materialize")
    wait_for(lambda: page.dev.partition_counts("expressions")["numMaterialized"] == 20, "step 0 of all")
    assert {call.step for call in ui.endpoint.requests} == {"0"}
    assert {call.parameters["temperature"] for call in ui.endpoint.requests} == {0.11}
    assert ui.endpoint.recorder.max_in_flight == 1
    assert page.dev.partition_counts("groundings")["numMaterialized"] == 0


def test_everything_pending_then_checks_and_the_contact_sheet(ui: Seen) -> None:
    page = ui.page
    ui.endpoint.faults = refusing(REFUSED)
    page.open("/locations/grounding_assets.definitions/jobs/annotate_pending", "Materialize all")
    page.click_and_confirm("Materialize all", "Are you sure?")
    page.see("Launched run")
    run = page.dev.run_ids()[0]
    assert page.dev.finished(run) == "FAILURE", "one sample is refused"
    again = page.dev.execute_from_failure(run)
    assert len(ui.project.lines()) == 19
    assert (ui.project.results / "report.html").is_file()

    page.open("/assets/tested/annotations?view=checks&checkDetail=failed_samples", "Checks (7)")
    page.see("1 of 20 tried lines have no result (5.0%, limit 4.0%).", "Failed")
    page.open("/assets/tested/annotations?view=checks&checkDetail=every_line_accounted_for")
    page.see("0 of 20 input lines are unaccounted for (limit 0).", "annotated", "pending", "rejected")
    page.shoot("check")

    page.open("/assets/tested/annotations", "contact_sheet")
    page.click("[Show Markdown]")
    width = wait_for(lambda: page.width_of_picture("Some photos with their boxes"), "the contact sheet")
    assert width > 200
    page.shoot("contact-sheet")

    page.open("/assets/tested/annotation_run", "made_with_other_settings", "tokens_in", "p95_latency_seconds")
    page.shoot("annotation-run")
    assert page.dev.finished(again) == "FAILURE", "it annotated nothing, so it must not pass for a success"


def test_fifty_new_lines_are_annotated_without_a_further_action(ui: Seen) -> None:
    page = ui.page
    ui.endpoint.faults = refusing(REFUSED)
    assert page.dev.finished(page.dev.materialize(*ANNOTATING)) == "FAILURE", "one sample is refused"
    before = len(ui.endpoint.requests)
    ui.endpoint.faults = Faults()
    page.open("/automation", "new_samples")
    page.toggle()
    rows = coco24_rows(70)
    with (ui.project.folder / "input.jsonl").open("a", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows[20:])
    wait_for(lambda: len(ui.project.lines()) == 69, "69 annotated lines", within_s=90)
    expected = [row["caption"] for row in rows if row["caption"] != REFUSED]
    assert [line["caption"] for line in ui.project.lines()] == expected
    assert asked(ui, before) == {" ".join(row["caption"].split()) for row in rows[20:]}
    page.open("/assets/tested/groundings?view=partitions", *counts(1, 69, 0))
    calls = sample_calls(ui.endpoint, before)
    assert len(calls) == len(set(calls)), "no sample is asked about twice"
    page.open("/locations/grounding_assets.definitions/sensors/new_samples", "(50 partitions created)")
    page.shoot("sensor")
