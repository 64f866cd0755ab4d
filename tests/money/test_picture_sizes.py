"""What a picture takes by the makers' rules, and what smaller ones would save."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from grounding_assets.cli import main
from grounding_assets.core.spec.model_settings import OpenAiSpec
from resources.vlm.image_tokens import GEMINI_TOKENS, token_rule
from resources.vlm.resource import family_of_spec, result_settings
from tests.core.workspaces import write_input, write_picture
from tests.endpoints.server import SimulatedEndpoint, running
from tests.money.capped_runs import capped_spec, run


@pytest.mark.parametrize(
    ("model", "size", "tokens"),
    [
        ("gpt-4o", (1024, 1024), 765),
        ("gpt-4o-2024-11-20", (2048, 4096), 1105),
        ("gpt-4.1", (512, 513), 425),
        ("gpt-4o-mini", (512, 512), 8500),
        ("gpt-5", (1024, 1024), 630),
        ("gpt-4.1-mini", (1024, 1024), 1659),
        ("gpt-5-nano", (4000, 4000), 3779),
        ("claude-sonnet-4-5", (1092, 1092), 1590),
        ("Qwen/Qwen2.5-VL-7B-Instruct", (1120, 896), 1280),
        ("qwen2-vl-7b", (280, 280), 100),
        ("Qwen/Qwen3-VL-8B-Instruct", (1120, 896), 980),
    ],
)
def test_a_picture_takes_what_the_maker_says(model: str, size: tuple[int, int], tokens: int) -> None:
    rule = token_rule(model)
    assert rule is not None and rule.of_size is not None and rule.of_size(size) == tokens


@pytest.mark.parametrize(
    "model",
    [
        "gemini-2.5-flash",
        "gpt-5.4",
        "OpenGVLab/InternVL3-8B",
        "nova-lite",
        "gpt-4-turbo",
        "claude-opus-4-8",
        "x/unheard-of",
    ],
)
def test_nothing_is_guessed_where_no_rule_is_documented(model: str) -> None:
    assert token_rule(model) is None


def test_gemini_3_counts_by_its_setting() -> None:
    rule = token_rule("gemini-3.1-flash-lite-preview")
    assert rule is not None and rule.of_size is None
    assert GEMINI_TOKENS["MEDIA_RESOLUTION_HIGH"] == 4 * GEMINI_TOKENS["MEDIA_RESOLUTION_LOW"]


def estimated(folder: Path, family: str, capsys: Any, monkeypatch: Any, *, kind: Any = "vllm") -> str:
    """What `estimate sizes=true` says after a pilot of two samples, with four to go; pictures of 1120 x 896."""
    monkeypatch.setenv("COLUMNS", "160")
    rows = [
        {
            "image_path": write_picture(folder / f"{i}.png", (1120, 896)).name,
            "caption": f"a cat {i} and a dog",
        }
        for i in range(6)
    ]
    with running(SimulatedEndpoint(kind, family, cheap=True)) as endpoint:
        write_input(folder / "input.jsonl", rows[:2])
        spec = capped_spec(folder, endpoint, 1, {})
        run(spec, endpoint)
        write_input(folder / "input.jsonl", rows)
        file = folder / "spec.yaml"
        file.write_text(json.dumps(spec.model_dump(mode="json")))
        assert main(["estimate", "-e", str(file), "sizes=true"]) == 0
    return capsys.readouterr().out


def test_the_table_tells_tokens_and_money_by_the_pictures_sizes(
    tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    told = estimated(tmp_path, "qwen3_vl", capsys, monkeypatch)
    assert "Pictures of 8 calls, by the sizes of 4 pictures (a token for 32 x 32 pixels)" in told
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in told.splitlines() if "│" in line]
    rows = {row[0]: row[1:] for row in cells if len(row) == 5}
    assert rows["as set (now)"] == ["980", "7,840", "0", "0.00"]
    tokens, total, saved, money = rows["vlm.openai.max_image_pixels=501760"]
    each = int(tokens)
    assert 450 <= each <= 490 and int(total.replace(",", "")) == 8 * each
    assert int(saved.replace(",", "")) == 8 * (980 - each)
    assert float(money) == round(8 * (980 - each) * 250 / 1e6, 2)


def test_a_model_without_a_rule_is_said_to_be_unknown(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    told = estimated(tmp_path, "internvl", capsys, monkeypatch)
    assert "What smaller pictures would save is unknown: no rule" in told and "InternVL3" in told


def test_the_setting_makes_pictures_smaller_and_marks_results(tmp_path: Path) -> None:
    endpoint = SimulatedEndpoint("vllm", "qwen3_vl")
    plain = capped_spec(tmp_path, endpoint, 1, {})
    smaller = plain.model_copy(deep=True)
    object.__setattr__(smaller.vlm.openai, "max_image_pixels", 250_000)
    width, height = family_of_spec(smaller).image.sent_size(1120, 896)
    assert width * height <= 250_000 and width % 32 == height % 32 == 0
    step = plain.workflow.run_steps[1]
    assert result_settings(smaller, step) == {**result_settings(plain, step), "max_image_pixels": 250_000}
    with pytest.raises(ValidationError, match="40,000 pixels or more"):
        OpenAiSpec(max_image_pixels=100)
