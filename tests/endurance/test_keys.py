"""An API key is in no file of results or of Dagster's and in no output, whatever the endpoint does with it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.doors.project import Project, make_project
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.gemini_kind import GeminiKind
from tests.endpoints.openai_kinds import VllmKind
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endpoints.wire import Ask, Generated, Reply
from tests.endurance.pictures import Pictures
from tests.endurance.runs import Ended, generate

KEY = "sk-Unlikely-0123456789abcdefghij"
AWKWARD = 'sk-"un\\likely"/+0123=%20{}'
Way = Literal["override", "environment", "spec"]


def telling(body: Any, header: str) -> Any:
    """A body with the header in every text of it, as a careless gateway logs it."""
    if isinstance(body, dict):
        return {name: telling(part, header) for name, part in body.items()}
    if isinstance(body, list):
        return [telling(part, header) for part in body]
    return f"{body} ({header})" if isinstance(body, str) else body


class _Telling:
    """Of an endpoint that puts what it was sent as a key into everything but the model's own text."""

    header = ""


class TellingVllm(_Telling, VllmKind):
    def check_key(self, headers: Mapping[str, str]) -> None:
        self.header = headers.get("Authorization", "")

    def error(self, status: int, message: str, reason: str = "") -> Any:
        return telling(super().error(status, message, reason), self.header)

    def reply(self, ask: Ask, generated: Generated, fault: Fault | None, thinking_in: str) -> Reply:
        told = replace(generated, thinking=f"My key is {self.header}")
        reply = super().reply(ask, told, fault, "reasoning_content")
        if fault in (Fault.NO_CHOICES, Fault.GARBAGE_BODY):
            return Reply(telling(reply.body, self.header))
        return Reply(
            reply.body, headers={"x-ratelimit-limit-requests": self.header, "x-request-id": self.header}
        )


class TellingGemini(_Telling, GeminiKind):
    def check_key(self, headers: Mapping[str, str]) -> None:
        self.header = headers.get("x-goog-api-key", "")

    def error(self, status: int, message: str, reason: str = "") -> Any:
        return telling(super().error(status, message, reason), self.header)

    def reply(self, ask: Ask, generated: Generated, fault: Fault | None, thinking_in: str) -> Reply:
        return super().reply(ask, replace(generated, thinking=f"My key is {self.header}"), fault, thinking_in)


def endpoint_that_tells(kind: Literal["vllm", "gemini"], pictures: Pictures) -> SimulatedEndpoint:
    endpoint = SimulatedEndpoint(kind, gold=pictures.gold)
    endpoint.kind = {"vllm": TellingVllm, "gemini": TellingGemini}[kind](endpoint.model)
    return endpoint


def run_with(
    folder: Path, endpoint: SimulatedEndpoint, pictures: Pictures, key: str, way: Way, *overrides: str
) -> tuple[Project, Ended]:
    backend, model = ("gemini", "model") if endpoint.kind.name == "gemini" else ("openai", "model_name")
    section = {"base_url": endpoint.base_url, model: endpoint.model}
    if way == "spec":
        section["api_key"] = key
    vlm = {"backend": backend, "measure": False, backend: section}
    project = make_project(folder, json.dumps(vlm), image_root=pictures.folder)
    project.write_input(pictures.rows[:24])
    if way == "override":
        overrides = (*overrides, f"image_grounding.vlm.{backend}.api_key={json.dumps(key)}")
    variable = {"gemini": "GOOGLE_API_KEY", "openai": "OPENAI_API_KEY"}[backend]
    ended = generate(project, *overrides, environment={variable: key} if way == "environment" else None)
    return project, ended


def assert_nowhere(key: str, project: Project, ended: Ended) -> None:
    """Not as it is, nor as JSON writes it, once or within another text."""
    once = json.dumps(key)[1:-1]
    forms = {form.encode() for form in (key, once, json.dumps(once)[1:-1])}
    for form in forms:
        assert form not in ended.output.encode()
    for file in project.folder.rglob("*"):
        if file.is_file() and file != project.spec:
            content = file.read_bytes()
            assert not [form for form in forms if form in content], file


PASSING = Faults(
    (
        Rule(Fault.SERVER_ERROR, at_most=1, rate=0.1),
        Rule(Fault.RATE_LIMITED, at_most=1, rate=0.1),
        Rule(Fault.MALFORMED, at_most=1, rate=0.1),
        Rule(Fault.NO_CHOICES, at_most=1, rate=0.1),
    )
)


@pytest.mark.parametrize(
    ("kind", "key", "way"),
    [
        ("vllm", KEY, "override"),
        ("vllm", KEY, "environment"),
        ("vllm", AWKWARD, "spec"),
        ("gemini", KEY, "environment"),
        ("gemini", KEY, "override"),
        ("gemini", AWKWARD, "spec"),
    ],
)
def test_an_endpoint_that_tells_the_key_in_errors_and_beside_replies(
    tmp_path: Path, pictures: Pictures, kind: Literal["vllm", "gemini"], key: str, way: Way
) -> None:
    endpoint = endpoint_that_tells(kind, pictures)
    endpoint.faults = Faults((*PASSING.rules, Rule(Fault.REFUSED, captions=("beside",), step="0")))
    with running(endpoint):
        project, ended = run_with(
            tmp_path, endpoint, pictures, key, way, "image_grounding.workflow.max_workers=8"
        )
    assert key in endpoint.kind.header  # type: ignore[union-attr]
    assert ended.code == 1
    assert project.lines() and project.lines("failures.jsonl")
    assert_nowhere(key, project, ended)


@pytest.mark.parametrize("fault", [Fault.UNAUTHORIZED, Fault.FORBIDDEN])
@pytest.mark.parametrize("kind", ["vllm", "gemini"])
def test_an_endpoint_that_tells_the_key_when_it_refuses_it(
    tmp_path: Path, pictures: Pictures, kind: Literal["vllm", "gemini"], fault: Fault
) -> None:
    endpoint = endpoint_that_tells(kind, pictures)
    endpoint.faults = Faults((Rule(fault),))
    with running(endpoint):
        project, ended = run_with(tmp_path, endpoint, pictures, KEY, "environment", "--debug")
    assert ended.code == 1
    assert "[key]" in ended.stderr
    assert_nowhere(KEY, project, ended)


@pytest.mark.parametrize(
    ("key", "code"),
    [("sk-secret-part\nsecond-line", 2), ("sk-geheim-ключ-0123", 2), (" sk-secret-with-spaces\n", 0)],
)
@pytest.mark.parametrize("kind", ["vllm", "gemini"])
def test_a_key_that_no_header_can_hold(
    tmp_path: Path, pictures: Pictures, kind: Literal["vllm", "gemini"], key: str, code: int
) -> None:
    endpoint = endpoint_that_tells(kind, pictures)
    with running(endpoint):
        project, ended = run_with(tmp_path, endpoint, pictures, key, "environment")
    assert ended.code == code
    if code:
        assert "characters that no key has" in ended.stderr
        assert endpoint.requests == []
    for part in (key, *key.split()):
        assert_nowhere(part, project, ended)
