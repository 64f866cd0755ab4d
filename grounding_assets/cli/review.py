"""`auto_label review`: reviewers' marks are taken over into the results."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast, get_args

from grounding_assets.cli.whole import tell_what_lacks
from grounding_assets.cli.words import checked_choice, split_words
from grounding_assets.core.dataset.annotated import read_samples
from grounding_assets.core.dataset.names import dataset_name
from grounding_assets.core.errors import EXIT_OK, visible
from grounding_assets.core.files import locked, read_lines
from grounding_assets.core.review.exchange import LOCAL_FILES, Tool, send
from grounding_assets.core.review.marks import MarksFile, read_marks
from grounding_assets.core.review.reviews import Reviews, reviews_file
from grounding_assets.core.review.taking import Taken, take_marks
from grounding_assets.core.spec.loading import load_spec

_LISTED = 20
"""Names of a list that are printed."""


def review(spec_file: str, words: Sequence[str]) -> int:
    """Takes over `marks=FILE` (several, separated by commas), and prints what reviewers said so far.

    `to=label_studio` or `to=cvat` writes what these import instead.
    """
    given, overrides = split_words(words, ("marks", "to", "images"))
    spec = load_spec(Path(spec_file), overrides)
    tell_what_lacks(spec)
    results_dir = spec.results_folder
    if "to" in given:
        return _send(given, results_dir, dataset_name(spec))
    files = [Path(name).absolute() for name in given.get("marks", "").split(",") if name]
    # all are read before any is taken over
    found = [read_marks(file, dataset_name(spec), results_dir) for file in files]
    if not results_dir.is_dir():
        # says what there is not, and which command makes it
        next(read_lines(results_dir / "annotations.jsonl"), None)
    with locked(reviews_file(results_dir).parent):
        reviews = Reviews.load(results_dir)
        for file, marks in zip(files, found, strict=True):
            annotations = results_dir / "annotations.jsonl"
            taken = take_marks(marks, read_lines(annotations), reviews, str(annotations))
            print(visible("\n".join(_lines(file, marks, taken))))
        if found:
            reviews.save(results_dir)
    counts = reviews.counts()
    said = ", ".join(f"{count:,} {what}" for what, count in counts.items()) or "nothing was marked yet"
    print(f"In all:      {said}.")
    if counts:
        print(f"Reviews:     {reviews_file(results_dir)}; exports follow them from now on.")
    if any("rejected" in what for what in counts):
        print(f"Ask again:   auto_label generate -e {spec_file} redo=rejected")
    return EXIT_OK


def _send(given: Mapping[str, str], results_dir: Path, data_set: str) -> int:
    tool = cast(Tool, checked_choice(given, "to", get_args(Tool), ""))
    samples = read_samples(read_lines(results_dir / "annotations.jsonl"), "the annotations")
    files = send(tool, samples, results_dir, data_set, given.get("images", LOCAL_FILES))
    for file in files:
        print(f"Written:     {file}")
    print(
        "Annotate there, export as JSON (Label Studio) or COCO 1.0 (CVAT), then: auto_label review marks=FILE"
    )
    return EXIT_OK


def _lines(file: Path, marks: MarksFile, taken: Taken) -> list[str]:
    known = f", {taken.known:,} known already" if taken.known else ""
    lines = [f"Taken over:  {taken.new:,} marks by {marks.reviewer} of {file}{known}."]
    if taken.overruled:
        lines.append(f"Disagreeing: {_listed(taken.overruled)}; the later one counts.")
    if taken.stale:
        lines.append(
            f"Stale:       {len(taken.stale):,} samples have another result than the one that was marked, and their marks "
            f"are left out: {_listed(taken.stale)}. Look at them in a new report."
        )
    if taken.unknown:
        lines.append(f"Unknown:     {len(taken.unknown):,} samples have no result: {_listed(taken.unknown)}.")
    return lines


def _listed(names: Sequence[str]) -> str:
    more = f", and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
