"""`auto_label reparse`: stored replies read again, as after the parser has become better; nothing is sent."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.cli import main
from grounding_assets.core.dataset.rollup import write_outputs
from grounding_assets.core.spec.loading import validate_spec
from grounding_assets.core.steps import Step
from resources.credentials import Credentials
from resources.dataset import DataSet
from tests.core.workspaces import picture_rows, write_input
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.model import CHARACTERS_PER_TOKEN
from tests.endpoints.server import SimulatedEndpoint, running
from tests.money.capped_runs import capped_spec, prepare_set, run

STEP_0, STEP_1 = "step_0_expression_extraction", "step_1_grounding"
MANY = ", ".join(f"a thing number {word}" for word in "abcdefghijklmnopqrstuvwxyzABCDEFG")


@pytest.fixture
def endpoint() -> Iterator[SimulatedEndpoint]:
    with running(SimulatedEndpoint("vllm", "qwen3_vl", cheap=True)) as endpoint:
        yield endpoint


def annotated(folder: Path, endpoint: SimulatedEndpoint) -> Path:
    """Annotates the set in the folder and writes its files; returns its spec."""
    spec = capped_spec(folder, endpoint, 2, {})
    run(spec, endpoint)
    workspace = DataSet(spec, Credentials()).workspace()
    write_outputs(workspace, (Step.EXTRACTION, Step.GROUNDING))
    file = folder / "spec.yaml"
    file.write_text(json.dumps(spec.model_dump(mode="json")))
    return file


def checkpoints(folder: Path, step_folder: str) -> list[Path]:
    return sorted((folder / "results" / step_folder / ".ckpt").glob("*.json"))


def edit(path: Path, change: Callable[[Any], object]) -> None:
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))


def lose_boxes(tree: Any) -> None:
    """What a parser that overlooks the first expression's boxes would have stored."""
    expression = tree["record"]["expressions"][0]
    expression["instances"], expression["grounding_status"] = [], "none_seen"


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_an_older_parser_lost_comes_back_and_the_old_result_is_kept(tmp_path, endpoint, capsys):
    prepare_set(tmp_path, 3)
    spec = annotated(tmp_path, endpoint)
    right = (tmp_path / "results" / "annotations.jsonl").read_text()
    results, before = checkpoints(tmp_path, STEP_1), len(endpoint.requests)
    edit(results[1], lose_boxes)
    older = results[1].read_bytes()

    listed = files(tmp_path / "results")
    assert main(["reparse", "-e", str(spec)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].split("\t")[:2] == [results[1].stem, "step 1"] and "boxes" in told[0]
    assert told[1:] == ["1 results would change. Nothing was written; apply=true does it."]
    changed = {name for name, raw in files(tmp_path / "results").items() if listed.get(name) != raw}
    assert not {name for name in changed if ".index" not in name}

    assert main(["reparse", "-e", str(spec), "apply=true"]) == 0
    assert "1 results changed" in capsys.readouterr().out
    (kept,) = (tmp_path / "results" / STEP_1 / ".retired").rglob("*.json")
    assert kept.read_bytes() == older
    now = [json.loads(line) for line in (tmp_path / "results" / "annotations.jsonl").read_text().splitlines()]
    for line in now:
        line["provenance"]["step_1"].pop("reparsed", None)
    assert now == [json.loads(line) for line in right.splitlines()]
    assert len(endpoint.requests) == before

    assert main(["reparse", "-e", str(spec), "apply=true"]) == 0
    assert capsys.readouterr().out == "Today's parser changes nothing.\n"


def test_a_lost_expression_is_found_again_and_only_its_sample_is_grounded_again(tmp_path, endpoint, capsys):
    prepare_set(tmp_path, 3)
    spec = annotated(tmp_path, endpoint)
    edit(checkpoints(tmp_path, STEP_0)[0], lambda tree: tree["record"]["expressions"].pop())
    edit(checkpoints(tmp_path, STEP_0)[0], lambda tree: tree.update(output_fingerprint="older"))
    edit(checkpoints(tmp_path, STEP_1)[0], lambda tree: tree.update(fingerprint="older"))
    assert main(["reparse", "-e", str(spec), "apply=true"]) == 0
    told = capsys.readouterr().out
    assert "step 0\texpressions" in told and "grounds it again" in told
    before = len(endpoint.requests)
    run(capped_spec(tmp_path, endpoint, 2, {}), endpoint)
    assert [request.step for request in endpoint.requests[before:]] == ["1"]


def test_several_calls_and_repeated_ones_are_told_apart(tmp_path, capsys):
    # 33 expressions take two calls, and the first attempt at each is garbled
    write_input(tmp_path / "input.jsonl", [{**picture_rows(tmp_path, 1)[0], "caption": MANY}])
    garbled = Faults((Rule(Fault.MALFORMED, at_most=1),))
    with running(SimulatedEndpoint("vllm", "qwen3_vl", cheap=True, faults=garbled)) as endpoint:
        spec = annotated(tmp_path, endpoint)
    (result,) = checkpoints(tmp_path, STEP_1)
    stored = json.loads(result.read_text())
    assert len(stored["record"]["expressions"]) > 25 and len(stored["replies"]) == 4
    assert main(["reparse", "-e", str(spec)]) == 0
    assert capsys.readouterr().out == "Today's parser changes nothing.\n"

    def lose_all(tree: Any) -> None:
        for expression in tree["record"]["expressions"]:
            expression["instances"], expression["grounding_status"] = [], "none_seen"

    edit(result, lose_all)
    assert main(["reparse", "-e", str(spec), "apply=true"]) == 0
    assert json.loads(result.read_text())["record"] == stored["record"]


def test_replies_that_were_cut_and_asked_in_halves_go_to_their_own_expressions(tmp_path, endpoint, capsys):
    """33 expressions take a call of 25, which is cut twice and halved, and one of 8."""
    write_input(tmp_path / "input.jsonl", [{**picture_rows(tmp_path, 1)[0], "caption": MANY}])
    spec = annotated(tmp_path, endpoint)
    (result,) = checkpoints(tmp_path, STEP_1)
    characters = [len(reply) for reply in json.loads(result.read_text())["replies"]]
    assert len(characters) == 2
    result.unlink()
    tree = json.loads(spec.read_text())
    # a reply of 25 does not fit into twice as many tokens, one of 13 does
    tree["image_grounding"]["vlm"]["openai"]["max_tokens"] = round(characters[0] / CHARACTERS_PER_TOKEN * 0.4)
    spec.write_text(json.dumps(tree))
    run(validate_spec(tree, where="the test"), endpoint)
    stored = json.loads(result.read_text())
    parts = stored["provenance"]["answered_by"]
    assert [(start, count) for start, count, _ in parts] == [(0, 12), (12, 13), (25, 8)]
    assert len(stored["replies"]) > len(parts), "the replies that were cut are kept, too"
    assert main(["reparse", "-e", str(spec)]) == 0
    assert capsys.readouterr().out == "Today's parser changes nothing.\n"

    def mark_each_part(tree: Any) -> None:
        for start, _, reply in parts:
            box = f"[{start * 10}, 0, {start * 10 + 200}, 500]"
            tree["replies"][reply] = re.sub(r"\[\d+(, ?\d+){3}\]", box, tree["replies"][reply])

    edit(result, mark_each_part)
    assert main(["reparse", "-e", str(spec), "apply=true"]) == 0
    assert "boxes moved" in capsys.readouterr().out
    record = json.loads(result.read_text())["record"]
    found = [expression["instances"][0]["bbox"] for expression in record["expressions"]]
    for start, count, _ in parts:
        left, right = (round(record["width"] * edge / 1000) for edge in (start * 10, start * 10 + 200))
        assert all(
            abs(box[0] - left) <= 1 and abs(box[2] - right) <= 1 for box in found[start : start + count]
        )


def test_results_without_a_note_on_their_calls_are_left_alone_where_they_cannot_be_told_apart(
    tmp_path, endpoint, capsys
):
    write_input(tmp_path / "input.jsonl", [{**picture_rows(tmp_path, 1)[0], "caption": MANY}])
    spec = annotated(tmp_path, endpoint)
    (result,) = checkpoints(tmp_path, STEP_1)

    def forget(tree: Any) -> None:
        del tree["provenance"]["answered_by"]
        tree["replies"].insert(0, "garbled")
        lose_boxes(tree)

    edit(result, forget)
    before = result.read_bytes()
    assert main(["reparse", "-e", str(spec), "apply=true"]) == 0
    assert "cannot be told apart" in capsys.readouterr().out
    assert result.read_bytes() == before


@pytest.mark.parametrize("mark", ["edited", "imported"])
def test_what_people_made_is_left_alone(tmp_path, endpoint, capsys, mark):
    prepare_set(tmp_path, 1)
    spec = annotated(tmp_path, endpoint)
    (result,) = checkpoints(tmp_path, STEP_1)
    edit(result, lambda tree: (lose_boxes(tree), tree["provenance"].update({mark: True})))
    before = result.read_bytes()
    assert main(["reparse", "-e", str(spec), "apply=true"]) == 0
    assert result.read_bytes() == before
    assert "changes nothing" in capsys.readouterr().out


@pytest.mark.parametrize("step", ["0", "1"])
def test_a_failure_that_can_be_read_today_becomes_a_result(tmp_path, endpoint, capsys, step):
    prepare_set(tmp_path, 2)
    garbled = Faults((Rule(Fault.MALFORMED, step=step, captions=("cat 1 ",)),))
    endpoint.faults = garbled
    spec = annotated(tmp_path, endpoint)
    folder = tmp_path / "results" / (STEP_0 if step == "0" else STEP_1)
    (failure,) = (folder / ".failed").glob("*.json")
    assert json.loads(failure.read_text())["provenance"]["tokens_out"] > 0
    # what the model said was fine, had the parser but been able to read it
    readable = json.loads(next((folder / ".ckpt").glob("*.json")).read_text())["replies"][-1]
    edit(failure, lambda tree: tree["replies"].append(readable.replace("cat 0 ", "cat 1 ")))
    before = len(endpoint.requests)
    assert main(["reparse", "-e", str(spec), "apply=true"]) == 0
    assert "a failure that can be read" in capsys.readouterr().out
    assert not failure.exists() and len(list((folder / ".ckpt").glob("*.json"))) == 2
    endpoint.faults = Faults()
    outcome = run(capped_spec(tmp_path, endpoint, 2, {}), endpoint)
    assert outcome.pending == 0
    assert len(endpoint.requests) - before == (1 if step == "0" else 0)


def test_other_words_are_refused(tmp_path, endpoint, capsys):
    prepare_set(tmp_path, 1)
    spec = annotated(tmp_path, endpoint)
    assert main(["reparse", "-e", str(spec), "apply=yes"]) == 2
    assert "apply=yes" in capsys.readouterr().err


def in_another_frame(tree: Any) -> None:
    """The boxes of the reply moved far out of the family's frame."""
    tree["replies"][-1] = re.sub(r"(?<=[\[ ])([0-9]+)(?=[,\]])", r"9\g<1>9", tree["replies"][-1])


def cut_for_length(tree: Any) -> None:
    """A reply that the endpoint ended, with words behind the answer."""
    lose_boxes(tree)
    tree["replies"][-1] += " But wait"
    tree["provenance"]["cut_replies"] = [len(tree["replies"]) - 1]


@pytest.mark.parametrize("change", [in_another_frame, cut_for_length])
def test_replies_that_a_run_would_refuse_do_not_change_a_result(tmp_path, endpoint, capsys, change):
    prepare_set(tmp_path, 2)
    spec = annotated(tmp_path, endpoint)
    results = checkpoints(tmp_path, STEP_1)
    edit(results[0], change)
    before = results[0].read_bytes()
    assert main(["reparse", "-e", str(spec)]) == 0
    assert "left alone" in capsys.readouterr().out
    assert main(["reparse", "-e", str(spec), "apply=true"]) == 0
    assert results[0].read_bytes() == before
