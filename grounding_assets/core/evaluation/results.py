"""Where gold and results lie: reading both, judging, and writing `evaluation.json`.

`evaluation` judges; the caller shows the figures.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from grounding_assets.core.dataset.rollup import annotated_record
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import InputError
from grounding_assets.core.evaluation.comparison import Comparison, compare
from grounding_assets.core.evaluation.evaluation import Evaluation, evaluate
from grounding_assets.core.evaluation.tally import JudgeOptions, SampleKey, sample_key
from grounding_assets.core.evaluation.verification_effect import VerificationEffect, has_verdicts
from grounding_assets.core.files import json_object, replacing, stopping_if_unwritable, to_json
from grounding_assets.core.steps import Step

EVALUATION = "evaluation.json"


@dataclass(frozen=True)
class Judgement:
    """What `evaluation.json` says."""

    gold: Path
    results: Path
    results_sha256: str
    """Of the bytes of `results`: tells later on whether they are still what was judged."""
    gold_sha256: str
    """Of the bytes of `gold`."""
    evaluation: Evaluation
    verification: VerificationEffect | None = None
    """If step 2 has verified `results`."""
    other_results: Path | None = None
    other: Evaluation | None = None
    comparison: Comparison | None = None
    """`other` minus `evaluation`, over the samples that both have."""

    def to_dict(self) -> dict[str, Any]:
        files = {
            "gold": str(self.gold),
            "results": str(self.results),
            "results_sha256": self.results_sha256,
            "gold_sha256": self.gold_sha256,
        }
        row = files | self.evaluation.to_dict()
        if self.verification is not None:
            row["verification"] = self.verification.to_dict()
        if self.other is not None and self.comparison is not None:
            row["other"] = {"results": str(self.other_results)} | self.other.to_dict()
            row["comparison"] = asdict(self.comparison)
        return row


def judge_results(
    gold: Path, results: Path, options: JudgeOptions | None = None, other: Path | None = None
) -> Judgement:
    """Judges an annotations file, or two side by side, against a gold file.

    Raises:
        InputError: a file is missing or holds something else, or nothing can be judged.
    """
    if not results.exists():
        raise InputError(
            f"There are no results at {results} yet: run `auto_label generate` with the same spec."
        )
    # before reading: if the file is replaced meanwhile, the digest fits neither, and the figures count as old
    digest, gold_digest = sha256_of(results), sha256_of(gold) if gold.is_file() else ""
    evaluation = evaluate(read_records(gold), read_records(results), options)
    verification = _verification(gold, results, options, evaluation) if has_verdicts(evaluation) else None
    judgement = Judgement(gold, results, digest, gold_digest, evaluation, verification)
    if other is None:
        return judgement
    second = evaluate(read_records(gold), read_records(other), options)
    return replace(judgement, other_results=other, other=second, comparison=compare(evaluation, second))


def _verification(
    gold: Path, results: Path, options: JudgeOptions | None, everything: Evaluation
) -> VerificationEffect:
    kept = evaluate(read_records(gold), read_records(results), options, drop_refuted=True)
    return VerificationEffect(everything, kept, compare(everything, kept))


def sha256_of(file: Path) -> str:
    """Hex digest of a file's bytes, read in pieces.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"Cannot read {file}: {error.strerror}.") from None


def write_judgement(judgement: Judgement, results_dir: Path) -> Path:
    """Writes `evaluation.json` and returns where it is."""
    file = results_dir / EVALUATION
    with stopping_if_unwritable(file), replacing(file) as stream:
        stream.write(to_json(judgement.to_dict()) + b"\n")
    return file


def evaluate_workspace(workspace: Workspace, gold: Path) -> Evaluation:
    """Judges the checkpoints of step 1 that are there, whether or not a rollup has been written since."""
    keys = {sample_key(str(row.get("image_path")), str(row.get("caption"))) for row in read_records(gold)}
    return evaluate(read_records(gold), _grounded(workspace, keys))


def _grounded(workspace: Workspace, keys: Collection[SampleKey]) -> Iterator[Mapping[str, Any]]:
    for sample_id in workspace.samples.ids:
        sample = workspace.samples.read(sample_id)
        if sample_key(sample.image_path, sample.caption) not in keys or not workspace.is_done(
            sample_id, Step.GROUNDING
        ):
            continue
        checkpoint = workspace.groundings.store.load(sample_id)
        if checkpoint is not None:
            line = {"image_path": sample.image_path, "caption": sample.caption}
            yield annotated_record(line, checkpoint, Step.GROUNDING, {})


def read_records(file: Path) -> Iterator[dict[str, Any]]:
    """Streams the objects of a JSONL file that anybody may have written: a BOM and blank lines are let pass.

    Raises:
        InputError: no such file, or a line that is not a JSON object; names it.
    """
    try:
        with file.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    row = json_object(line)
                    if row is None:
                        raise InputError(f"{file}, line {number} is not a JSON object.")
                    yield row
    except FileNotFoundError:
        raise InputError(f"There is no {file}.") from None
    except OSError as error:
        raise InputError(f"Cannot read {file}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InputError(f"{file} is not UTF-8 text.") from None
