"""`share_pictures: auto`: what `evaluate` keeps of a comparison, and what a run makes of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grounding_assets.cli import main
from grounding_assets.core.shards.manifest import MANIFEST
from grounding_assets.core.spec.loading import load_spec
from grounding_assets.core.steps import Step
from resources.vlm.resource import result_settings
from resources.vlm.sharing_measured import shares_pictures
from tests.core.workspaces import write_input
from tests.doors.project import coco24_rows, endpoint_settings, make_project
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.runs import generate
from tests.evaluation.simulated_model import answers, drawn_gold

AUTO = "image_grounding.workflow.share_pictures=auto"
WARMER = "image_grounding.vlm.openai.temperature=0.1"
SPEC = """
results_dir: {folder}/results
image_grounding:
  vlm: {{backend: openai, openai: {{base_url: "http://h/v1", model_name: qwen3-vl}}}}
  data: {{gold_jsonl: {folder}/gold.jsonl}}
"""


class TwoResults:
    """A gold set, and what a simulated model answered about its captions alone and together."""

    def __init__(self, folder: Path, photos: int, dropped: float):
        self.folder, self.spec = folder, folder / "spec.yaml"
        self.spec.write_text(SPEC.format(folder=folder))
        gold = drawn_gold(np.random.default_rng(1), photos)
        write_input(folder / "gold.jsonl", gold)
        settings = result_settings(load_spec(self.spec, []), Step.GROUNDING)
        for name, drop, together in (
            ("results", 0.0, {}),
            ("shared", dropped, {"captions_asked_together": 5}),
        ):
            (folder / name).mkdir()
            made = {"step_1": {"settings": settings, **together}}
            rows = answers(np.random.default_rng(2), gold, drop=drop)
            write_input(folder / name / "annotations.jsonl", [{**row, "provenance": made} for row in rows])

    def compare(self, *words: str, first: str = "results", other: str = "shared") -> None:
        where = [f"results_dir={self.folder / first}", f"other={self.folder / other}"]
        assert main(["evaluate", "-e", str(self.spec), *where, *words]) == 0

    def auto(self, *words: str, results: str = "results") -> tuple[bool, str]:
        return shares_pictures(load_spec(self.spec, [AUTO, *words]), self.folder / results)


def test_what_was_seen_holds_for_the_same_model_prompt_and_sampling(tmp_path: Path, capsys: Any) -> None:
    two = TwoResults(tmp_path, photos=200, dropped=0.0)
    assert two.auto()[0] is False and "was not measured" in two.auto()[1]
    two.compare(WARMER)
    assert "not both made with this spec's settings" in capsys.readouterr().out and not two.auto()[0]
    two.compare(other="results")
    assert "hared pictures" not in capsys.readouterr().out, "neither result shares any"
    two.compare()
    assert "auto shares pictures in" in capsys.readouterr().out
    assert two.auto()[0] is True
    (tmp_path / "results" / MANIFEST).touch()
    assert two.auto(results="results/shards/00007")[0] is True, "a shard goes by its data set's"
    for word in (
        WARMER,
        "image_grounding.vlm.openai.model_name=qwen3-vl-b",
        "image_grounding.vlm.family=glm_v",
    ):
        assert two.auto(word)[0] is False and "was not measured" in two.auto(word)[1]


@pytest.mark.parametrize("first", ["results", "shared"])
@pytest.mark.parametrize(
    ("photos", "dropped"), [(200, 0.3), (24, 0.0)], ids=["worse", "too few photos to tell"]
)
def test_worse_boxes_or_too_few_share_nothing(
    tmp_path: Path, capsys: Any, photos: int, dropped: float, first: str
) -> None:
    two = TwoResults(tmp_path, photos, dropped)
    two.compare(first=first, other="shared" if first == "results" else "results")
    assert "auto does not share pictures in" in capsys.readouterr().out
    shares, why = two.auto(results=first)
    assert not shares and "seen to be at most" in why


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("image_grounding.workflow.joint=true", "joint calls ask about each caption alone"),
        ("image_grounding.vlm.batch.mode=on", "batch jobs ask about each caption alone"),
        ("image_grounding.vlm.backend=local", "the embedded teacher is not asked by calls"),
    ],
)
def test_where_nothing_can_be_shared_it_says_so(tmp_path: Path, word: str, why: str) -> None:
    two = TwoResults(tmp_path, photos=1, dropped=0.0)
    assert two.auto(word) == (False, f"Pictures are not shared: {why}.")


def test_a_run_tells_how_to_measure(tmp_path: Path) -> None:
    with running(SimulatedEndpoint("vllm")) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(coco24_rows(2))
        ended = generate(project, "image_grounding.vlm.measure=false", AUTO)
    assert ended.code == 0 and "`auto_label evaluate gold=FILE other=FOLDER`" in ended.output
