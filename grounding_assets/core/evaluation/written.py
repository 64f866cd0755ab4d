"""`evaluation.json`, read again: what the report shows of it. `results` writes it."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from grounding_assets.core.errors import InputError
from grounding_assets.core.evaluation.evaluation import Cases, Figure, ReliabilityBin, Share
from grounding_assets.core.evaluation.tally import Missing, Steps


class _Part(BaseModel):
    """What else the file says is not read."""

    model_config = ConfigDict(frozen=True)


class WrittenOptions(_Part):
    steps: Steps
    missing: Missing
    min_span_iou: Share = 0.5


class WrittenTotals(_Part):
    gold: Cases
    judged: Cases


class WrittenResampling(_Part):
    confidence: Share


class WrittenEvaluation(_Part):
    """The figures of one result."""

    format: Literal[1]
    gold: str
    """Path of the gold file."""
    results_sha256: str = ""
    """Of the annotations that were judged; empty in files from before it was written."""
    gold_sha256: str = ""
    """Of the gold file, in the same way."""
    options: WrittenOptions
    samples: WrittenTotals
    resampling: WrittenResampling
    overall: dict[str, Figure]
    slices: dict[str, dict[str, dict[str, Figure]]]
    calibration_error: Figure
    reliability: list[ReliabilityBin]


def read_evaluation(file: Path) -> WrittenEvaluation:
    """Reads and checks the file.

    Raises:
        InputError: it cannot be read, or holds something else.
    """
    try:
        return WrittenEvaluation.model_validate_json(file.read_bytes())
    except OSError as error:
        raise InputError(f"Cannot read {file}: {error.strerror}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise InputError(
            f"{file} is not an evaluation ({where}: {first['msg']}). Run `auto_label evaluate` to write it again."
        ) from None
