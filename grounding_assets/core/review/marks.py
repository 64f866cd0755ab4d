"""The file that the report exports: one reviewer's marks, checked before anything is done with them."""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from grounding_assets.core.errors import InputError
from grounding_assets.core.review.exchange import as_marks

Verdict = Literal["accept", "reject"]
Name = Annotated[str, Field(min_length=1, max_length=80)]
MarkedBox = tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]
"""`x1, y1, x2, y2` in pixels of the upright original."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class PhraseMark(_Part):
    """What is said of one expression."""

    index: int = Field(ge=0)
    """Its position among the sample's expressions."""
    verdict: Verdict | None = None
    boxes: tuple[MarkedBox, ...] | None = Field(default=None, max_length=1000)
    """All its boxes as the reviewer leaves them; empty: the image does not show it; None: not corrected."""


class SampleMark(_Part):
    """What is said of one sample."""

    sample_id: str
    result: str
    """Digest of the result that was looked at, see `result_digest`."""
    verdict: Verdict | None = None
    expressions: tuple[PhraseMark, ...] = ()


class MarksFile(_Part):
    """`marks.json`."""

    report: str
    """Name of the data set."""
    exported_at: AwareDatetime
    reviewer: Name = "reviewer"
    marks: tuple[SampleMark, ...]


def read_marks(file: Path, data_set: str, results_dir: Path | None = None) -> MarksFile:
    """Reads one reviewer's marks, from the report or from a tool that results were sent to.

    Args:
        results_dir: where what was sent is kept; by default the folder of `file`.

    Raises:
        InputError: the file cannot be read, is no file of marks, or is about another data set.
    """
    try:
        tree = as_marks(json.loads(file.read_bytes()), file, results_dir or file.parent)
        marks = MarksFile.model_validate(tree)
    except OSError as error:
        raise InputError(f"Cannot read {file}: {error.strerror}.") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise InputError(
            f"{file} is no file of marks as the report exports them: {where}: {first['msg']}."
        ) from None
    except (ValueError, RecursionError):
        raise InputError(
            f"{file} is not JSON: give the file that the report's Export button saved."
        ) from None
    if marks.report != data_set:
        raise InputError(
            f"{file} holds marks of the data set '{marks.report}', and these results are those of '{data_set}': nothing was taken over."
        )
    return marks
