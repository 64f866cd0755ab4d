"""`auto_label init` on a real pty, against real HTTP endpoints: each choice, and everything that goes wrong."""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.corpus import CORPUS, coco24_gold, needs_corpus
from tests.doors.project import Project, make_project
from tests.endpoints.server import KindName, SimulatedEndpoint, running
from tests.importing.sources import photos
from tests.init.terminal import Terminal, free_port_url, written_files

pytestmark = needs_corpus("coco24")
ROOT = str(CORPUS / "coco24")


def rows() -> list[dict[str, Any]]:
    """Six captions that hold phrases which the simulated models know."""
    return [
        {
            "image_path": photo["file"],
            "caption": photo["captions"][photo["derived_phrases"][0]["caption_index"]],
        }
        for photo in coco24_gold()
        if photo["derived_phrases"]
    ][:6]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A folder with an input of six samples that have expressions, and no spec."""
    made = make_project(tmp_path / "work", "{backend: local}")
    made.spec.unlink()
    made.write_input(rows())
    return made


@contextmanager
def terminal(project: Project, *flags: str, **environment: str) -> Iterator[Terminal]:
    with Terminal(project, *flags, **environment) as person:
        yield person


def answer_the_beginning(person: Terminal) -> None:
    """Everything before the endpoint, by the shortest way."""
    person.answer("Input JSONL", "input.jsonl")
    person.answer("relative image paths", ROOT)
    person.answer("Steps")
    person.answer("Results folder", "results")
    person.answer("Name of the data set", "tested")


@pytest.mark.parametrize(
    ("number", "kind", "variable"),
    [
        ("1", "gemini", "GOOGLE_API_KEY"),
        ("2", "nim", "OPENAI_API_KEY"),
        ("3", "tao", ""),
        ("4", "vllm", ""),
        ("5", "custom", "OPENAI_API_KEY"),
    ],
)
def test_each_endpoint_is_set_up_and_its_spec_runs(
    project: Project, number: str, kind: KindName, variable: str
) -> None:
    # the microservice is still loading when it is asked first
    quirks = {"starting": 1} if kind == "tao" else None
    with running(SimulatedEndpoint(kind, quirks=quirks)) as endpoint:
        environment = {variable: endpoint.key} if variable else {}
        with terminal(project, **environment) as person:
            answer_the_beginning(person)
            choices = person.answer("Endpoint", number)
            assert all(f"{i}  " in choices for i in range(1, 7))
            person.answer("Base URL", endpoint.base_url)
            if kind == "tao":
                assert "server_initializing" in person.answer("Try again", "again")
                person.answer("Model", endpoint.model)
            else:
                assert endpoint.model in person.answer("Model"), "the one that is served is offered"
            assert "ok" in person.answer("Spec file"), "the findings of the live test are shown"
            assert person.end() == 0
        text = project.spec.read_text(encoding="utf-8")
        assert not endpoint.key or endpoint.key not in text + person.said
        assert f"max_workers: {64 if kind == 'vllm' else 4}  # Requests in flight" in text
        assert "auto_label generate -e spec.yaml workflow.limit=10" in person.said

        asked_before = len(endpoint.requests)
        ran = project.generate("workflow.limit=2", **environment)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert len(endpoint.requests) > asked_before
        assert [line["caption"] for line in project.lines()] == [row["caption"] for row in rows()[:2]]
        assert all(line["expressions"] for line in project.lines())


def test_the_offline_teacher_needs_nothing_and_colours_can_be_off(project: Project) -> None:
    with terminal(project, NO_COLOR="1", TERM="dumb") as person:
        person.answer("Input JSONL", "input.jsonl")
        person.answer("relative image paths", ROOT)
        person.answer("Steps")
        person.answer("Results folder")
        person.answer("Name of the data set")
        person.answer("Endpoint", "local")
        assert "demonstration" in person.answer("Spec file")
        assert person.end() == 0
    assert "\x1b" not in person.said
    ran = project.generate("workflow.limit=2")
    assert ran.returncode == 0, ran.stderr
    published = project.folder / "results" / "input" / "annotations.jsonl"
    assert len(published.read_text(encoding="utf-8").splitlines()) == 2

    # what is afresh once must not be afresh for ever, so the spec does not say it
    flags = ("--input", "input.jsonl", "--image-root", ROOT, "--endpoint", "local", "--yes")
    again = project.auto_label("init", *flags, "--afresh", "--overwrite")
    assert again.returncode == 0, again.stderr
    assert "holds 2 results" in again.stdout
    assert "workflow.limit=10 workflow.force_reprocess=true" in again.stdout
    assert "force_reprocess" not in project.spec.read_text(encoding="utf-8")


def test_wrong_answers_are_explained_and_asked_again(project: Project) -> None:
    with (project.folder / "input.jsonl").open("a", encoding="utf-8") as lines:
        lines.write('{"image_path": "x.jpg"}\nnonsense\n')
    (project.folder / "empty.jsonl").write_text("")
    (project.folder / "spec.yaml").write_text("mine: true\n")
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint, terminal(project) as person:
        person.answer("Input JSONL")
        assert "needs an answer" in person.answer("Input JSONL", "nowhere.jsonl")
        assert "no such file" in person.answer("Input JSONL", "empty.jsonl")
        assert "no usable record" in person.answer("Input JSONL", "\x1b[A")
        assert "control characters" in person.answer("Input JSONL", "input.jsonl")
        looked_at = person.answer("relative image paths", "/nonexistent")
        for words in ("8 lines, 6 of them usable", "line 7: caption is missing", "line 8: not JSON"):
            assert words in looked_at
        missing = person.answer("relative image paths", ROOT)
        assert f"/nonexistent/{rows()[0]['image_path']}" in missing
        assert "6 of the first 6 images are found" in person.answer("Steps", "7")
        assert "0,1 for both" in person.answer("Steps", "1")
        person.answer("Results folder", "input.jsonl")
        assert "not a folder" in person.answer("Results folder", "results")
        assert "Step 1 alone reads" in person.answer("Results folder", "results")
        person.press("Results folder", "c")
        assert person.end() == 130
    with terminal(project, *_flags_without(person.said, "--steps")) as person:
        person.answer("Steps", "0,1")
        person.answer("Results folder", "results")
        person.answer("Name of the data set", "a name")
        assert "letters, digits" in person.answer("Name of the data set", "tested")
        person.answer("Endpoint", "9")
        assert "'9' is none of: gemini, nim" in person.answer("Endpoint", "vllm")
        person.answer("Base URL", "localhost:8000")
        assert "http://" in person.answer("Base URL", "http://user:secret@localhost/v1")
        assert "must not hold a user" in person.answer("Base URL", free_port_url())
        assert "docs/vllm_server.md" in person.answer("Try again, change", "change")
        person.answer("Endpoint", "local")
        person.answer("Spec file")
        person.answer("Overwrite it", "no")
        assert "exists and stays" in person.answer("Spec file", "other.yaml")
        assert person.end() == 0
    assert project.spec.read_text() == "mine: true\n"
    written = yaml.safe_load((project.folder / "other.yaml").read_text(encoding="utf-8"))
    assert written["image_grounding"]["vlm"]["backend"] == "local"
    assert endpoint.requests == []


def _flags_without(said: str, dropped: str) -> list[str]:
    """The flags of the command that was printed last, which gives the same answers again."""
    words = shlex.split(said.split("auto_label init ")[-1].splitlines()[0])
    at = words.index(dropped) if dropped in words else len(words)
    return words[:at] + words[at + 2 :]


def test_a_model_that_is_not_served_is_asked_again_and_a_missing_v1_is_found(project: Project) -> None:
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint, terminal(project) as person:
        answer_the_beginning(person)
        person.answer("Endpoint", "vllm")
        person.answer("Base URL", endpoint.url)
        assert f"{endpoint.url}/v1" in person.answer("Model", "gpt-unknown")
        assert "'gpt-unknown' is none of" in person.answer("Model", "1")
        person.answer("Spec file")
        assert person.end() == 0
    written = yaml.safe_load(project.spec.read_text(encoding="utf-8"))["image_grounding"]["vlm"]["openai"]
    assert (written["base_url"], written["model_name"]) == (endpoint.base_url, endpoint.model)


def test_a_model_that_gives_wrong_boxes_is_no_working_endpoint(project: Project) -> None:
    with running(SimulatedEndpoint("vllm", "random", model="qwen3-vl-of-sorts")) as endpoint:
        with terminal(project) as person:
            answer_the_beginning(person)
            person.answer("Endpoint", "vllm")
            person.answer("Base URL", endpoint.base_url)
            person.answer("Model")
            assert "The test failed" in person.answer("Try again, change", "stop")
            assert person.end() == 1
        assert not project.spec.exists()


def test_an_endpoint_that_is_down_stops_and_the_printed_command_goes_on(project: Project) -> None:
    endpoint = SimulatedEndpoint("vllm", "qwen3_vl")
    with running(endpoint):
        pass
    with terminal(project) as person:
        answer_the_beginning(person)
        person.answer("Endpoint", "vllm")
        person.answer("Base URL", endpoint.base_url)
        person.answer("Try again, change", "stop")
        assert person.end() == 1
    assert "docs/vllm_server.md" in person.said
    assert not project.spec.exists()
    flags = _flags_without(person.said, "")
    with running(endpoint):
        done = project.auto_label("init", *flags, "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
    assert json.dumps(ROOT)[1:-1] in project.spec.read_text(encoding="utf-8")


@pytest.mark.parametrize(("key", "trouble"), [("", "there is none"), ("wrong-key-4711", "refuses the key")])
def test_without_a_key_that_works_it_says_what_to_export_and_never_asks_for_it(
    project: Project, key: str, trouble: str
) -> None:
    with running(SimulatedEndpoint("gemini")) as endpoint:
        environment = {"GOOGLE_API_KEY": key} if key else {}
        with terminal(project, **environment) as person:
            answer_the_beginning(person)
            person.answer("Endpoint", "gemini")
            person.answer("Base URL", endpoint.base_url)
            assert person.end() == 1
        assert trouble in person.said
        assert "export GOOGLE_API_KEY=" in person.said
        assert "auto_label init --input input.jsonl" in person.said
        assert not key or key not in person.said
    assert not project.spec.exists()


@pytest.mark.parametrize(
    ("control", "code", "words"), [("c", 130, "Interrupted"), ("d", 1, "ended too early")]
)
def test_ctrl_c_and_the_end_of_input_leave_nothing_half_written(
    project: Project, control: str, code: int, words: str
) -> None:
    before = written_files(project.folder)
    with terminal(project) as person:
        answer_the_beginning(person)
        person.answer("Endpoint", "local")
        person.press("Spec file", control)
        assert person.end() == code
    closing = [line for line in person.said.splitlines() if line.startswith("auto_label: ")]
    assert len(closing) == 1
    assert words in closing[0]
    assert "Traceback" not in person.said
    assert written_files(project.folder) == before


def test_a_folder_of_photos_is_converted_on_the_way(project: Project) -> None:
    photos(project.folder / "photos", "a.jpg", "b.jpg")
    (project.folder / "photos" / "a.txt").write_text("A cat", encoding="utf-8")
    with terminal(project) as person:
        person.answer("Input JSONL", "photos")
        person.answer("Write photos.input.jsonl from it", "y")
        assert "1 left out: no caption" in person.answer("Steps")
        person.answer("Results folder")
        person.answer("Name of the data set")
        person.answer("Endpoint", "local")
        person.answer("Spec file")
        assert person.end() == 0
    assert project.generate().returncode == 0
