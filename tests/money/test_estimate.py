"""`auto_label estimate`: what the rest will take, told from what is there."""

import json
import re
from pathlib import Path

import pytest

from grounding_assets.cli import main
from grounding_assets.cli.estimate import both_ways
from grounding_assets.core.budget.cost import Usage, money
from grounding_assets.core.budget.gates import figures_so_far
from grounding_assets.core.budget.prices import Prices
from grounding_assets.core.spec.model_settings import PriceSpec
from grounding_assets.core.spec.settings import Spec
from resources.credentials import Credentials
from resources.dataset import DataSet
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.server import SimulatedEndpoint, running
from tests.money.capped_runs import PRICE, booked, capped_spec, prepare_set, run


def write_spec(folder: Path, spec: Spec) -> str:
    file = folder / "spec.yaml"
    file.write_text(json.dumps(spec.model_dump(mode="json")))
    return str(file)


def row_of(table: str, name: str) -> list[float]:
    """Expected, low and high of the row that begins with this name."""
    (line,) = [line for line in table.splitlines() if line.strip("│ ").startswith(name)]
    return [float(cell.replace(",", "")) for cell in re.findall(r"[\d,]+(?:\.\d+)?", line.split("│", 2)[2])]


def test_without_a_result_it_says_to_run_a_pilot(tmp_path, capsys):
    prepare_set(tmp_path, 2)
    with running(SimulatedEndpoint("vllm", "qwen3_vl", cheap=True)) as endpoint:
        spec = write_spec(tmp_path, capped_spec(tmp_path, endpoint, 1, {}))
        assert main(["estimate", "-e", spec]) == 2
        assert "run a pilot first" in capsys.readouterr().err
        assert not endpoint.requests


def test_samples_whose_images_are_not_there_are_left_out(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    prepare_set(tmp_path, 20)
    with running(SimulatedEndpoint("vllm", "qwen3_vl", cheap=True)) as endpoint:
        run(capped_spec(tmp_path, endpoint, 1, {}), endpoint)
        prepare_set(tmp_path, 60)
        lines = [json.loads(line) for line in (tmp_path / "input.jsonl").read_text().splitlines()]
        for line in lines[30:]:
            line["image_path"] = "away/" + line["image_path"]
        (tmp_path / "input.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        spec = write_spec(tmp_path, capped_spec(tmp_path, endpoint, 1, {}))
        assert main(["estimate", "-e", spec]) == 0
    told = capsys.readouterr().out
    assert "30 samples take no call and are left out here: their images are not there" in told
    assert "The remaining 10 samples will take" in told
    expected, low, high = row_of(told, "Calls")
    assert expected == 20 and low <= 20 <= high


def test_the_rest_of_the_set_takes_what_was_estimated(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    prepare_set(tmp_path, 20)
    with running(SimulatedEndpoint("vllm", "qwen3_vl", cheap=True)) as endpoint:
        run(capped_spec(tmp_path, endpoint, 1, {}), endpoint)
        prepare_set(tmp_path, 60)
        spec = write_spec(tmp_path, capped_spec(tmp_path, endpoint, 1, {"max_calls": 100}))
        assert main(["estimate", "-e", spec]) == 0
        told = capsys.readouterr().out
        first = sum((Usage(**row) for row in booked(tmp_path)), Usage())
        assert f"Spent so far: {first.calls} calls, {first.tokens_in:,} tokens in" in told
        assert "workflow.max_calls=100 may stop the run before its end" in told
        run(capped_spec(tmp_path, endpoint, 4, {}), endpoint)
        rest = sum((Usage(**row) for row in booked(tmp_path)[40:]), Usage())
        for name, truth in (
            ("Calls", rest.calls),
            ("Tokens in", rest.tokens_in),
            ("Tokens out", rest.tokens_out),
            ("Cost, EUR", money(rest, PriceSpec(**PRICE))),
        ):
            _, low, high = row_of(told, name)
            # the table rounds
            assert low - 1 <= truth <= high + 1, name

        assert main(["estimate", "-e", spec]) == 0
        assert "Nothing is left to do" in capsys.readouterr().out


def test_without_a_price_there_is_no_money(tmp_path, capsys):
    prepare_set(tmp_path, 4)
    with running(SimulatedEndpoint("vllm", "qwen3_vl", cheap=True)) as endpoint:
        run(capped_spec(tmp_path, endpoint, 1, {"max_calls": 4}), endpoint)
        spec = write_spec(tmp_path, capped_spec(tmp_path, endpoint, 1, {}))
        override = "image_grounding.vlm.price={input_per_million: 0, output_per_million: 0}"
        assert main(["estimate", "-e", spec, override]) == 0
        told = capsys.readouterr().out
        assert "Cost" not in told and "EUR" not in told and "Tokens in" in told


def test_what_failed_samples_took_is_part_of_the_projection(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    prepare_set(tmp_path, 10)
    # half of them are read at neither temperature: two calls in vain where the others take one in each step
    garbled = Faults((Rule(Fault.MALFORMED, step="1", captions=tuple(f"cat {n} " for n in range(5, 10))),))
    with running(SimulatedEndpoint("vllm", "qwen3_vl", cheap=True, faults=garbled)) as endpoint:
        outcome = run(capped_spec(tmp_path, endpoint, 2, {}), endpoint)
        assert len(outcome.failed) == 5
        taken = sum((Usage(**row) for row in booked(tmp_path)), Usage())
        assert taken.calls == 5 * 2 + 5 * 3
        prepare_set(tmp_path, 25)
        spec = write_spec(tmp_path, capped_spec(tmp_path, endpoint, 2, {}))
        assert main(["estimate", "-e", spec]) == 0
    told = capsys.readouterr().out
    assert "will take, by 5 that are done and 5 that failed" in " ".join(told.split())
    for name, seen in (
        ("Calls", taken.calls),
        ("Tokens in", taken.tokens_in),
        ("Tokens out", taken.tokens_out),
        ("Cost, EUR", money(taken, PriceSpec(**PRICE))),
    ):
        expected, low, high = row_of(told, name)
        assert expected == pytest.approx(2 * seen, abs=1), name
        assert low < expected < high, name


def test_both_ways_are_shown_side_by_side(tmp_path, capsys):
    prepare_set(tmp_path, 10)
    with running(SimulatedEndpoint("vllm", "qwen3_vl", cheap=True)) as endpoint:
        run(capped_spec(tmp_path, endpoint, 1, {}), endpoint)
        prepare_set(tmp_path, 60)
        spec = write_spec(tmp_path, capped_spec(tmp_path, endpoint, 1, {}))
        assert main(["estimate", "-e", spec]) == 0
    told = capsys.readouterr().out
    found = re.search(
        r"100 calls: ([\d.,]+) EUR by ordinary calls.*?, ([\d.,]+) EUR .* by batch within a day", told
    )
    assert found is not None, told
    ordinary, by_batch = (float(text.replace(",", "")) for text in found.groups())
    assert by_batch == pytest.approx(ordinary / 2, abs=0.01)


def test_verification_stays_out_of_what_a_batch_would_cost(tmp_path):
    prepare_set(tmp_path, 10)
    with running(SimulatedEndpoint("vllm", "qwen3_vl", cheap=True)) as endpoint:
        run(capped_spec(tmp_path, endpoint, 1, {}), endpoint)
        prepare_set(tmp_path, 60)
        spec = capped_spec(tmp_path, endpoint, 1, {"steps": ["0", "1", "2"]})
    workspace, prices = DataSet(spec, Credentials(openai="k")).workspace(), Prices.of(spec)
    words = both_ways(figures_so_far(workspace, spec.workflow.run_steps[:2], prices), spec, prices)
    assert words is not None and words.startswith("100 calls of the other steps: ")
    assert words.endswith('Those of step "2" are ordinary calls either way, and come on top.')
