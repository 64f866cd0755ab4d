"""The words that a subcommand takes besides settings, as its `--help` lists them."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Mapping

WORDS: Mapping[str, Mapping[str, str]] = {
    "generate": {
        "redo=rejected": "ask again for what reviewers rejected, and for nothing else",
        "image_grounding.workflow.limit=20": "a pilot: annotate the first 20 samples only",
    },
    "estimate": {"sizes=true": "what smaller pictures would save, too"},
    "batch": {
        "id=ID|all": "which jobs",
        "give_up=true": "with cancel: give up jobs that the endpoint does not know any more",
    },
    "review": {
        "marks=FILE,…": "take over what the report, Label Studio (JSON) or CVAT (COCO 1.0) exported",
        "to=label_studio|cvat": "write what that tool imports instead, into results_dir/review",
        "images=PREFIX": "with to=label_studio: what stands before each image_path; default: /data/local-files/?d=",
    },
    "evaluate": {
        "gold=FILE|reviewed": "records with human boxes, or what reviewers accepted and corrected",
        "other=FOLDER|FILE": "a second result to compare with",
        "steps=step_1": "judge boxes alone, of expressions that gold has too",
        "missing=wrong": "a gold sample without a result counts as wrong",
        "min_span_iou=0.5": "least overlap of two expressions that are the same by span",
    },
    "reparse": {"apply=true": "keep what changes; without it nothing is written"},
    "restore": {
        "apply=true": "bring them back; without it they are listed",
        "step=0|1|2": "of one step only",
        "sample=ID,…": "of these samples only",
        "replaced=TIME": "that were replaced at that time",
    },
    "export": {
        "format=NAME": "which format; without it those of image_grounding.export.formats",
        "min_score=0.5": "and every other setting of image_grounding.export by its bare name, see docs/configuration.md",
    },
}


def list_words(name: str, parser: ArgumentParser) -> None:
    """Puts a subcommand's words below its help, before what stands there."""
    words = WORDS.get(name)
    if not words:
        return
    width = max(map(len, words)) + 2
    listed = "\n".join(f"  {word:{width}}{meaning}" for word, meaning in words.items())
    parser.epilog = "\n\n".join(["words:\n" + listed, *([parser.epilog] if parser.epilog else [])])
    parser.formatter_class = RawDescriptionHelpFormatter
