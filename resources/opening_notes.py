"""What a user is told about results that were not made by this project's runs, when a data set is opened."""

from collections.abc import Iterator
from pathlib import Path

from grounding_assets.core.dataset.extraction_edits import AdoptedEdits
from grounding_assets.core.dataset.tao_results import TakenOver


def taken_over(taken: TakenOver, aside: Path) -> Iterator[str]:
    """About results that TAO began; `aside` is where its files are kept."""
    yield (
        f"TAO began these results: {taken.extractions} of step 0 and {taken.groundings} of step 1 were taken over, "
        f"and its files are kept in {aside}."
    )
    if taken.unknown:
        yield f"{taken.unknown} records of TAO's belong to no line of the input."
    if taken.unreadable:
        yield f"{taken.unreadable} records of TAO's cannot be read; their samples are annotated."
    if taken.other_size:
        yield (
            f"The boxes of {taken.other_size} records of TAO's are in pixels of another size than their image has "
            "(TAO writes 1920 x 1080 if the input gives none): they are made again."
        )


def adopted(found: AdoptedEdits, extracted_file: Path) -> Iterator[str]:
    """About what somebody changed in step 0's output."""
    if found.adopted:
        yield f"{found.adopted} hand-edited lines of {extracted_file} were taken over; their boxes are made again."
    if found.unknown:
        yield f"{found.unknown} lines of {extracted_file} belong to no line of the input."
    if found.dropped:
        yield (
            f"{len(found.dropped)} expressions are not in their cleaned_caption and were dropped; "
            f"the first: {found.dropped[0]}."
        )
