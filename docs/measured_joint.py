"""Writes the table of docs/costs.md on joint calls: `python -m docs.measured_joint`.

No real model is asked. Simulated endpoints annotate 120 captions of 24 COCO photos by two calls a sample and by one.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from docs.tables import PAGES, rows_of, with_table
from grounding_assets.core.budget.call_file import read_ledger
from grounding_assets.core.budget.cost import Usage
from grounding_assets.core.evaluation.results import Judgement, judge_results
from tests.batch.runs import batch_spec, run
from tests.core.workspaces import write_input
from tests.corpus import CORPUS
from tests.doors.project import coco24_rows
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.model import Behaviour
from tests.endpoints.server import SimulatedEndpoint, running
from tests.evaluation.coco24 import derived_gold

MARK = "docs/measured_joint.py"
_MODELS = {
    "exact boxes": (Behaviour(), 0.0),
    "edges off by up to 3 %": (Behaviour(noise=0.03), 0.0),
    "a tenth of the boxes left out": (Behaviour(drop=0.1), 0.0),
    "a fifth of the joint replies malformed": (Behaviour(), 0.2),
    "every joint reply malformed": (Behaviour(), 1.0),
}


def measured() -> Iterator[str]:
    """One row a simulated model."""
    head = ("Simulated model", "Calls", "Joint", "Tokens in", "Joint", "Boxes found", "Joint")
    yield from rows_of(head, (_row(name, *how) for name, how in _MODELS.items()))


def _row(name: str, behaviour: Behaviour, malformed: float) -> tuple[str, ...]:
    faults = Faults((Rule(Fault.MALFORMED, step="01", rate=malformed),))
    with tempfile.TemporaryDirectory() as kept:
        folder, root = Path(kept), CORPUS / "coco24"
        write_input(folder / "input.jsonl", coco24_rows())
        write_input(folder / "gold.jsonl", derived_gold())
        with running(SimulatedEndpoint("vllm", behaviour=behaviour, faults=faults)) as endpoint:
            for results, joint in (("two", False), ("joint", True)):
                spec = batch_spec(
                    folder, endpoint, image_root=root, mode="off", workflow={"joint": joint}, results=results
                )
                outcome = run(spec, endpoint)
                assert not outcome.pending, outcome
        taken = [
            read_ledger(folder / results, has_verifier=False).spent().teacher for results in ("two", "joint")
        ]
        judged = judge_results(
            folder / "gold.jsonl",
            folder / "two/annotations.jsonl",
            other=folder / "joint/annotations.jsonl",
        )
    return (name, *_figures(taken), *_shares(judged))


def _figures(taken: list[Usage]) -> Iterator[str]:
    yield from (f"{usage.calls:,}" for usage in taken)
    yield from (f"{usage.tokens_in:,}" for usage in taken)


def _shares(judged: Judgement) -> Iterator[str]:
    assert judged.comparison is not None
    found = judged.comparison.overall["box_recall_50"]
    yield from (f"{100 * (share or 0):.1f} %" for share in (found.first, found.second))


if __name__ == "__main__":
    page = PAGES / "costs.md"
    page.write_text(with_table(page.read_text(encoding="utf-8"), "".join(measured()), MARK), encoding="utf-8")
