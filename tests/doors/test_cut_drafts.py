"""A model that is cut while it thinks aloud: what it had drafted is no result, for a whole command."""

from pathlib import Path

import pytest

from tests.doors.project import coco24_rows, endpoint_settings, make_project
from tests.endpoints.manner import Manner
from tests.endpoints.server import SimulatedEndpoint, running

SAMPLES = 20


@pytest.mark.parametrize("flaw", ["draft_cut", "unclosed_reasoning"])
def test_no_draft_of_a_reply_that_was_cut_is_written(tmp_path: Path, flaw: str) -> None:
    written = {}
    for manner in (Manner(), Manner(flaw=flaw, flaw_rate=0.5)):
        with running(SimulatedEndpoint("vllm", "qwen3_vl", manner=manner)) as endpoint:
            project = make_project(tmp_path / (manner.flaw or "whole"), endpoint_settings(endpoint))
            project.write_input(coco24_rows(SAMPLES))
            run = project.generate("image_grounding.workflow.max_workers=8")
        boxes = {
            line["caption"]: [[i["bbox"] for i in e["instances"]] for e in line["expressions"]]
            for line in project.lines()
        }
        written[manner.flaw] = run.returncode, boxes
    (code, whole), (flawed_code, kept) = written[""], written[flaw]
    failures = project.lines("failures.jsonl")
    assert (code, flawed_code, len(whole)) == (0, 1, SAMPLES)
    assert 0 < len(failures) == SAMPLES - len(kept)
    assert {failure["reason"] for failure in failures} == {"truncated"}
    assert kept.items() <= whole.items()
