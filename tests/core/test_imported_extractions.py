"""Step 0's output that another tool wrote, beside an input or in its place."""

from pathlib import Path
from typing import Any

import pytest

from grounding_assets.core.dataset.extraction_edits import adopt_extractions
from grounding_assets.core.dataset.rollup import write_step_annotations
from grounding_assets.core.dataset.sample_ids import SampleIds
from grounding_assets.core.dataset.samples import SampleIndex
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.steps import Step
from tests.core.workspaces import (
    RuleTeacher,
    adopt,
    annotate,
    extracted,
    json_lines,
    roll_up,
    write_input,
    write_picture,
)
from tests.formats import check_results


def tao_row(path: str, caption: str) -> dict[str, Any]:
    """As TAO's own step 0 writes it: other ids, no status of a span, spans that need not fit."""
    return {
        "image_id": "7",
        "image_path": path,
        "caption": caption,
        "width": 1920,
        "height": 1080,
        "cleaned_caption": "A cat and two dogs.",
        "expressions": [
            {
                "expression_id": "7_0",
                "text": "A cat",
                "char_span": [3, 8],
                "noun_chunk": "cat",
                "instances": [],
            },
            {"expression_id": "7_1", "text": "two dogs", "char_span": None, "noun_chunk": 5},
        ],
        "source": "image_grounding",
    }


@pytest.mark.parametrize("with_root", [False, True], ids=["as given", "with the image root"])
def test_a_file_of_another_tool_is_imported(tmp_path: Path, with_root: bool) -> None:
    write_picture(tmp_path / "7.png")
    write_input(tmp_path / "input.jsonl", [{"image_path": "7.png", "caption": "there is a cat and two dogs"}])
    extracted(tmp_path).parent.mkdir(parents=True)
    path = str(tmp_path / "7.png") if with_root else "7.png"
    write_input(extracted(tmp_path), [tao_row(path, "there is a cat and two dogs")])
    workspace, found = adopt(tmp_path)
    assert (found.adopted, found.unknown, found.dropped) == (1, 0, [])
    annotate(workspace, steps=(Step.GROUNDING,))
    roll_up(workspace)
    assert check_results(tmp_path / "results", tmp_path / "input.jsonl", image_root=tmp_path).annotated == 1
    [line] = json_lines(tmp_path / "results" / "annotations.jsonl")
    assert [e["char_span"] for e in line["expressions"]] == [[0, 5], [10, 18]]
    assert line["expressions"][1]["noun_chunk"] == "two dogs"
    assert line["provenance"]["step_0"]["imported"] is True


def test_step_0s_file_can_be_the_whole_input(tmp_path: Path) -> None:
    """Step 1 alone, with nothing but that file: it is read, never rewritten, and grounded once."""
    rows = []
    for i in range(3):
        write_picture(tmp_path / f"{i}.png", (30 + i, 20))
        rows.append(tao_row(str(tmp_path / f"{i}.png"), f"there is a cat and two dogs {i}"))
    extracted(tmp_path).parent.mkdir(parents=True)
    write_input(extracted(tmp_path), rows)
    given = extracted(tmp_path).read_bytes()
    for calls in (3, 0):
        ids = SampleIds(tmp_path / "results" / "samples.jsonl")
        workspace = Workspace(SampleIndex.build(extracted(tmp_path), ids), tmp_path / "results", tmp_path)
        ids.save()
        workspace.refresh()
        adopt_extractions(workspace, extracted(tmp_path))
        teacher = RuleTeacher()
        annotate(workspace, teacher, steps=(Step.GROUNDING,))
        assert len(teacher.calls) == calls
        assert write_step_annotations(workspace, Step.EXTRACTION).lines == 3
        assert write_step_annotations(workspace, Step.GROUNDING).lines == 3
        assert extracted(tmp_path).read_bytes() == given
    sizes = [
        (line["width"], line["height"]) for line in json_lines(workspace.step(Step.GROUNDING).annotations)
    ]
    assert sizes == [(30, 20), (31, 20), (32, 20)]
