"""Step 2 through the command, against a model that is wrong by known amounts, over real HTTP."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from grounding_assets.core.evaluation import evaluate
from tests.corpus import needs_corpus
from tests.doors.project import Project, coco24_rows, endpoint_settings, make_project
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.model import Behaviour
from tests.endpoints.record import ReceivedRequest
from tests.endpoints.server import Latency, SimulatedEndpoint, running
from tests.endurance.runs import generate, generating
from tests.endurance.soak import endpoint_is_idle
from tests.evaluation.coco24 import derived_gold
from tests.verification.results import (
    STEP_1,
    judged_boxes,
    judged_expressions,
    questions,
    verdicts,
    verified_lines,
    within_band,
    without_verification,
)

pytestmark = needs_corpus("coco24")

WRONG = 0.2
ROWS = 100
ALL = 'image_grounding.workflow.steps=["0","1","2"]'
ALONE = 'image_grounding.workflow.steps=["2"]'
FLAWED = Behaviour(jitter=0.05, drop=0.15, swap=0.45, wrong_verdicts=WRONG, seed=5)


@dataclass(frozen=True)
class Grounded:
    """A project whose steps 0 and 1 are done, and its endpoint."""

    project: Project
    endpoint: SimulatedEndpoint

    def copy(self, folder: Path) -> Project:
        return Project(shutil.copytree(self.project.folder, folder))


def asked(endpoint: SimulatedEndpoint, since: int = 0) -> list[ReceivedRequest]:
    """The requests of step 2."""
    return [request for request in endpoint.requests[since:] if request.step == "2"]


@pytest.fixture(scope="module")
def grounded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounded]:
    with running(SimulatedEndpoint("vllm", behaviour=FLAWED)) as endpoint:
        project = make_project(tmp_path_factory.mktemp("grounded") / "project", endpoint_settings(endpoint))
        project.write_input(coco24_rows(ROWS))
        # a model that is wrong so often about cards as well would be stopped
        ended = generate(project, "image_grounding.vlm.measure=false")
        assert ended.code == 0, ended.output
        yield Grounded(project, endpoint)


@pytest.fixture(scope="module")
def verified(grounded: Grounded, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same project after step 2 alone."""
    project = grounded.copy(tmp_path_factory.mktemp("verified") / "project")
    ended = generate(project, ALONE)
    assert ended.code == 0, ended.output
    return project


def test_it_is_off_by_default(grounded: Grounded) -> None:
    assert not (grounded.project.results / "step_2_verification").exists()
    lines = grounded.project.lines()
    assert not any("complete" in expression for line in lines for expression in line["expressions"])


def test_it_finds_what_its_own_accuracy_predicts(verified: Project) -> None:
    lines = verified_lines(verified)
    boxes = [(right, flag) for right, flag in judged_boxes(lines) if flag is not None]
    right, wrong = sum(truth for truth, _ in boxes), sum(not truth for truth, _ in boxes)
    assert right > 60 and wrong > 30, "too few of either to tell anything"
    assert within_band(sum(truth == flag for truth, flag in boxes), len(boxes), 1 - WRONG)
    assert within_band(sum(flag is False for truth, flag in boxes if not truth), wrong, 1 - WRONG)
    assert within_band(sum(flag is True for truth, flag in boxes if truth), right, 1 - WRONG)

    kept = [truth for truth, flag in boxes if flag]
    expected = right * (1 - WRONG) / (right * (1 - WRONG) + wrong * WRONG)
    assert within_band(sum(kept), len(kept), expected)
    expressions = [pair for pair in judged_expressions(lines) if pair[1] is not None]
    assert within_band(sum(truth == flag for truth, flag in expressions), len(expressions), 1 - WRONG)


def test_evaluate_shows_what_filtering_gains_and_loses(verified: Project) -> None:
    gold, lines = list(derived_gold(absent_per_photo=0)), verified_lines(verified)
    everything = evaluate(gold, lines)
    filtered = evaluate(gold, lines, drop_refuted=True)
    recalls = [result.overall["box_recall_50"].value for result in (everything, filtered)]
    assert recalls[0] is not None and recalls[1] is not None
    assert 1 - WRONG - 0.12 < recalls[1] / recalls[0] < 1 - WRONG + 0.12


def test_nothing_is_deleted_and_the_result_is_the_last_steps(verified: Project) -> None:
    lines = verified_lines(verified)
    assert [without_verification(line) for line in lines] == verified.lines(STEP_1)
    assert verified.lines() == lines
    assert {line["pipeline_steps"][-1] for line in lines} == {"step2_verification"}


def test_every_question_is_counted_and_paid_for(grounded: Grounded, verified: Project) -> None:
    lines = verified_lines(verified)
    made = [line["provenance"]["step_2"] for line in lines]
    assert sum(one["calls"] for one in made) == questions(lines)
    assert all(one["tokens_in"] > 0 and one["tokens_out"] > 0 for one in made if one["calls"])
    answers = sum((Counter(one["answers"]) for one in made), Counter())
    assert answers.total() == questions(lines)
    assert verified.status("verifications") == {
        "materialized": ROWS,
        "failed": 0,
        "materializing": 0,
        "missing": 0,
    }


def test_a_second_run_asks_nothing(grounded: Grounded, verified: Project) -> None:
    before = len(grounded.endpoint.requests)
    assert generate(verified, ALL).code == 0
    assert grounded.endpoint.requests[before:] == []


def test_changed_boxes_are_looked_at_again(grounded: Grounded, verified: Project, tmp_path: Path) -> None:
    project = Project(shutil.copytree(verified.folder, tmp_path / "project"))
    line = next(line for line in verified_lines(project) if questions([line]) > 2)
    file = project.results / "step_1_grounding" / ".ckpt" / f"{line['sample_id']}.json"
    tree = json.loads(file.read_bytes())
    instance = next(e["instances"][0] for e in tree["record"]["expressions"] if e["instances"])
    instance["bbox"] = [0, 0, 9, 9]
    file.write_text(json.dumps(tree), encoding="utf-8")
    before = len(grounded.endpoint.requests)
    assert generate(project, ALONE).code == 0
    again = asked(grounded.endpoint, before)
    assert len(again) == len(grounded.endpoint.requests) - before == questions([line])
    assert {request.caption for request in again} == {line["cleaned_caption"]}
    after = {row["sample_id"]: row for row in verified_lines(project)}
    assert any(
        box["bbox"] == [0, 0, 9, 9] for e in after[line["sample_id"]]["expressions"] for box in e["instances"]
    )


def test_a_killed_run_pays_again_for_nothing_but_what_was_in_flight(
    grounded: Grounded, verified: Project, tmp_path: Path
) -> None:
    project, endpoint, workers = grounded.copy(tmp_path / "project"), grounded.endpoint, 3
    few = (ALONE, f"image_grounding.workflow.max_workers={workers}", "image_grounding.workflow.limit=30")
    start, kept = len(endpoint.requests), 0
    expected = verified_lines(verified)[:30]
    endpoint.latency = Latency(0.05)
    try:
        for answered in (10, 25):
            with generating(project, *few) as run:
                run.until(lambda n=answered: len(asked(endpoint, start)) >= n, f"{answered} questions")
                run.kill()
            endpoint_is_idle(endpoint)
            done, partial = on_disk(project)
            kept += partial
        before = len(endpoint.requests)
        ended = generate(project, *few)
    finally:
        endpoint.latency = Latency(0.0)
    assert ended.code == 0, ended.output
    assert kept > 0, "no kill hit a sample between two of its questions"
    left = questions(line for line in expected if line["sample_id"] not in done) - partial
    assert len(asked(endpoint, before)) == len(endpoint.requests) - before == left
    assert len(asked(endpoint, start)) <= questions(expected) + 2 * workers
    assert verdicts(verified_lines(project)) == verdicts(expected)
    assert on_disk(project) == ({line["sample_id"] for line in expected}, 0)


def on_disk(project: Project) -> tuple[set[str], int]:
    """The samples that step 2 has a checkpoint of, and how many answers there are about others."""
    folder = project.results / "step_2_verification"
    done = {file.stem for file in folder.glob(".ckpt/[!.]*.json")}
    partial = [file for file in folder.glob(".partial/*.json") if file.stem not in done]
    return done, sum(file.read_bytes().count(b'"made_of"') for file in partial)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(Fault.MALFORMED, "unparsable"), (Fault.REFUSED, "refused"), (Fault.TRUNCATED, "truncated")],
)
def test_a_failed_check_leaves_null_with_its_reason(
    grounded: Grounded, tmp_path: Path, fault: Fault, reason: str
) -> None:
    project, endpoint = grounded.copy(tmp_path / "project"), grounded.endpoint
    endpoint.faults = Faults((Rule(fault, 0.4, step="2"),))
    try:
        ended = generate(project, ALONE, "image_grounding.workflow.limit=12")
    finally:
        endpoint.faults = Faults()
    assert ended.code == 0, ended.output
    lines = verified_lines(project)
    failed = [check for line in lines for check in line["provenance"]["step_2"]["failed_checks"]]
    assert failed and len(failed) < questions(lines)
    assert {check["reason"] for check in failed} == {reason}
    unsure = sum(line["provenance"]["step_2"]["answers"]["unsure"] for line in lines)
    nulls = {name for name, verdict in verdicts(lines).items() if verdict is None}
    assert {check["id"] for check in failed} <= nulls and len(nulls) == len(failed) + unsure
    assert [without_verification(line) for line in lines] == project.lines(STEP_1)[: len(lines)]


def test_failed_checks_are_asked_again_by_redoing_step_2_alone(grounded: Grounded, tmp_path: Path) -> None:
    project, endpoint = grounded.copy(tmp_path / "project"), grounded.endpoint
    few = (ALONE, "image_grounding.workflow.limit=12")
    # by content: how often earlier tests have asked the same does not matter
    endpoint.faults = Faults((Rule(Fault.REFUSED, 0.4, step="2", same_every_attempt=True),))
    try:
        assert generate(project, *few).code == 0
    finally:
        endpoint.faults = Faults()
    before = verified_lines(project)
    assert any(line["provenance"]["step_2"]["failed_checks"] for line in before)
    start = len(endpoint.requests)
    assert generate(project, *few).code == 0
    assert len(endpoint.requests) == start, "a sample with a failed check has a result"
    ended = generate(project, *few, "image_grounding.workflow.force_reprocess=true")
    assert ended.code == 0, ended.output
    after = verified_lines(project)
    assert not any(line["provenance"]["step_2"]["failed_checks"] for line in after)
    assert len(asked(endpoint, start)) == len(endpoint.requests) - start == questions(after)
    assert [without_verification(line) for line in after] == [without_verification(line) for line in before]
    kept = (project.results / "step_2_verification" / ".retired").rglob("*.json")
    assert {file.stem for file in kept} == {line["sample_id"] for line in before}


def test_the_embedded_teacher_cannot_look_twice_but_another_model_can(
    grounded: Grounded, tmp_path: Path
) -> None:
    project = make_project(tmp_path / "project", "{backend: local}")
    project.write_input(coco24_rows(4))
    refused = generate(project, ALL)
    assert refused.code == 2
    assert "vlm_verifier" in refused.stderr and not project.results.exists()

    openai = {"base_url": grounded.endpoint.base_url, "model_name": grounded.endpoint.model}
    named = ",".join(f"{name}:'{value}'" for name, value in openai.items())
    verifier = f"image_grounding.vlm_verifier={{backend:openai,openai:{{{named}}}}}"
    ended = generate(project, ALL, verifier)
    assert ended.code == 0, ended.output
    made = [line["provenance"] for line in verified_lines(project)]
    assert {(one["step_1"]["backend"], one["step_2"]["backend"]) for one in made} == {("local", "openai")}
    assert {one["step_2"]["model"] for one in made} == {grounded.endpoint.model}
    assert sum(one["step_2"]["calls"] for one in made) == questions(verified_lines(project)) > 0
