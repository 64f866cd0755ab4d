"""A verifier of its own has a price of its own: in caps, in `calls.jsonl`, in estimates and in a pilot's words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.cli import main
from grounding_assets.cli.pilot import figures_of_pilot, pilot_words
from grounding_assets.core.annotation.annotator import Annotator
from grounding_assets.core.budget.account import BudgetReached
from grounding_assets.core.budget.call_file import begin, read_ledger
from grounding_assets.core.budget.cost import Usage, money
from grounding_assets.core.budget.ledger import Spent
from grounding_assets.core.budget.prices import Prices
from grounding_assets.core.errors import SpecError
from grounding_assets.core.spec.loading import validate_spec
from grounding_assets.core.spec.model_settings import PriceSpec
from grounding_assets.core.spec.settings import Spec
from resources.credentials import Credentials
from resources.dataset import DataSet
from tests.endpoints.server import SimulatedEndpoint, running
from tests.money import capped_runs
from tests.money.capped_runs import PRICE, Outcome, capped_spec, listener, prepare_set
from tests.money.test_estimate import row_of, write_spec

DEAR = {"input_per_million": 9000.0, "output_per_million": 40_000.0, "currency": "EUR"}
SAMPLES = 4


@dataclass(frozen=True)
class Models:
    """The endpoint that annotates, and the one that verifies."""

    teacher: SimulatedEndpoint
    verifier: SimulatedEndpoint

    def spec(
        self,
        folder: Path,
        *,
        verifier_price: Mapping[str, Any] | None = None,
        own: bool = True,
        **workflow: Any,
    ) -> Spec:
        tree = capped_spec(folder, self.teacher, 2, {"steps": ["0", "1", "2"], **workflow}).model_dump()
        if own:
            named = {"base_url": self.verifier.base_url, "model_name": self.verifier.model}
            tree["image_grounding"]["vlm_verifier"] = {
                "backend": "openai",
                "openai": named,
                "price": verifier_price or {},
            }
        return validate_spec(tree, where="the test")


@pytest.fixture
def models() -> Iterator[Models]:
    with (
        running(SimulatedEndpoint("vllm", "qwen3_vl", cheap=True)) as teacher,
        running(SimulatedEndpoint("vllm", "internvl", cheap=True)) as verifier,
    ):
        yield Models(teacher, verifier)


def look_twice(spec: Spec, models: Models) -> Outcome:
    """All three steps over what is pending."""
    dataset = DataSet(spec, Credentials(openai=models.teacher.key, verifier_openai=models.verifier.key))
    workspace, outcome = dataset.workspace(), Outcome()

    async def work(teacher: Any) -> None:
        async with dataset.verifier(teacher) as verifier:
            annotator = Annotator(workspace, teacher, listener(outcome), max_workers=2, verifier=verifier)
            await annotator.run(list(workspace.pending(workspace.samples.ids, spec.workflow.run_steps)))

    try:
        dataset.with_teacher(work, lambda text: None)
    except BudgetReached as stop:
        outcome.stopped_by = stop
    return outcome


def booked_by_model(folder: Path) -> Spent:
    """What the lines of calls.jsonl come to, added up by this test."""
    by_model = {"": Usage(), "vlm_verifier": Usage()}
    for model, taken in capped_runs.booked_by_model(folder):
        by_model[model] += Usage(**taken)
    return Spent(by_model[""], by_model["vlm_verifier"])


def worth(spent: Spent) -> float:
    return sum(
        money(usage, PriceSpec(**price)) for usage, price in ((spent.teacher, PRICE), (spent.verifier, DEAR))
    )


def test_estimate_and_pilot_count_each_models_tokens_at_its_price(tmp_path, models, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    prepare_set(tmp_path, SAMPLES)
    spec = models.spec(tmp_path, verifier_price=DEAR)
    assert look_twice(spec, models).stopped_by is None
    spent = booked_by_model(tmp_path)
    assert spent.verifier.calls == len(models.verifier.requests) > 0
    assert spent.teacher.calls == len(models.teacher.requests) > 0
    assert f", {worth(spent):,.2f} EUR" in pilot_words(spec, figures_of_pilot(DataSet(spec, Credentials())))

    prepare_set(tmp_path, 3 * SAMPLES)
    assert main(["estimate", "-e", write_spec(tmp_path, spec)]) == 0
    told = capsys.readouterr().out
    assert f"{worth(spent):,.2f} EUR." in told and "leaves out" not in told
    expected, _, _ = row_of(told, "Cost, EUR")
    assert expected == pytest.approx(2 * worth(spent), abs=0.01)


def test_a_verifier_without_a_price_is_left_out_of_the_money_and_that_is_said(tmp_path, models, capsys):
    prepare_set(tmp_path, SAMPLES)
    spec = models.spec(tmp_path)
    look_twice(spec, models)
    spent = booked_by_model(tmp_path)
    of_teacher = money(spent.teacher, PriceSpec(**PRICE))
    words = pilot_words(spec, figures_of_pilot(DataSet(spec, Credentials())))
    assert f", {of_teacher:,.2f} EUR" in words and "image_grounding.vlm_verifier.price" in words
    prepare_set(tmp_path, SAMPLES + 1)
    assert main(["estimate", "-e", write_spec(tmp_path, spec)]) == 0
    told = capsys.readouterr().out
    tokens_in = spent.teacher.tokens_in + spent.verifier.tokens_in
    assert f"{tokens_in:,} tokens in" in told, "tokens are counted, whoever took them"
    assert f"{of_teacher:,.2f} EUR." in told and "image_grounding.vlm_verifier.price" in told


def test_the_verifiers_tokens_reach_the_cap_at_their_own_price(tmp_path, models):
    prepare_set(tmp_path, 12)
    limit = 30.0
    outcome = look_twice(models.spec(tmp_path, verifier_price=DEAR, max_cost=limit), models)
    assert isinstance(outcome.stopped_by, BudgetReached) and "workflow.max_cost" in str(outcome.stopped_by)
    spent = booked_by_model(tmp_path)
    dearest = max(money(Usage(**taken), PriceSpec(**DEAR)) for taken in capped_runs.booked(tmp_path))
    assert 0.5 * limit < worth(spent) <= limit + 2 * dearest
    at_one_price = spent.teacher + spent.verifier
    assert money(at_one_price, PriceSpec(**PRICE)) < 0.5 * limit


def test_a_cap_on_cost_needs_the_verifiers_price_too(tmp_path, models):
    prepare_set(tmp_path, 2)
    with pytest.raises(SpecError, match=r"needs vlm_verifier\.price\.input_per_million"):
        models.spec(tmp_path, max_cost=1.0)
    with pytest.raises(SpecError, match=r"vlm\.price is in EUR and vlm_verifier\.price in USD"):
        models.spec(tmp_path, verifier_price={**DEAR, "currency": "USD"})
    # a model that is the same has the same price
    assert models.spec(tmp_path, own=False, max_cost=1.0).workflow.max_cost == 1.0
    look_twice(models.spec(tmp_path), models)
    before = len(models.teacher.requests) + len(models.verifier.requests)
    prepare_set(tmp_path, 3)
    with pytest.raises(SpecError, match=r"vlm_verifier\.price: earlier runs .* tokens of a verifier"):
        look_twice(models.spec(tmp_path, own=False, max_cost=1000.0), models)
    assert len(models.teacher.requests) + len(models.verifier.requests) == before


def test_the_same_model_costs_the_same_and_its_lines_name_no_other(tmp_path, models):
    prepare_set(tmp_path, 2)
    spec = models.spec(tmp_path, own=False)
    look_twice(spec, models)
    assert not models.verifier.requests
    spent = booked_by_model(tmp_path)
    assert spent.verifier == Usage() and spent.teacher.calls == len(models.teacher.requests)
    figure = money(spent.teacher, PriceSpec(**PRICE))
    assert f", {figure:,.2f} EUR" in pilot_words(spec, figures_of_pilot(DataSet(spec, Credentials())))


def test_results_from_before_there_was_a_log_keep_their_model(tmp_path, models):
    prepare_set(tmp_path, 2)
    spec = models.spec(tmp_path, verifier_price=DEAR)
    look_twice(spec, models)
    before = booked_by_model(tmp_path)
    (tmp_path / "results" / "calls.jsonl").unlink()
    assert read_ledger(tmp_path / "results", has_verifier=True).spent() == before
    begin(tmp_path / "results", has_verifier=True)
    assert booked_by_model(tmp_path) == before
    spent = read_ledger(tmp_path / "results", has_verifier=True).spent()
    assert spent.total(Prices.of(spec)).cost == pytest.approx(worth(before))


@pytest.mark.parametrize(("backend", "currency"), [("openai", None), ("local", "USD")])
def test_money_is_told_only_where_the_teachers_price_is_known(backend: str, currency: str | None):
    """A verifier's price alone would show what the other steps took as nothing; the embedded teacher is free."""
    tree = {"vlm": {"backend": backend}, "vlm_verifier": {"price": {"input_per_million": 1.0}}}
    spec = validate_spec({"results_dir": "r", "image_grounding": tree}, where="the test")
    assert Prices.of(spec).currency == currency
