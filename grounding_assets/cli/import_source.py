"""`auto_label import`: images and captions in any usual form, as the input JSONL of a run."""

import shlex
from argparse import ArgumentParser, Namespace
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from grounding_assets.core.errors import EXIT_OK, visible
from grounding_assets.core.input_forms import Form

if TYPE_CHECKING:
    from grounding_assets.core.importing import ImportReport

_OUTPUT_SUFFIX = ".input.jsonl"


def add_import_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="file or folder; its form is recognised")
    parser.add_argument(
        "--form", choices=[str(form) for form in Form], help="the form, if it is not recognised"
    )
    parser.add_argument(
        "--output", metavar="FILE", help="default: SOURCE's name with .input.jsonl, in this folder"
    )
    parser.add_argument("--image-root", metavar="DIR", help="folder that relative image paths start from")
    for flag, meaning in (
        ("--image-field", "field or column that names the image"),
        ("--caption-field", "field or column that holds the caption"),
        ("--id-field", "field or column that holds the image's id"),
        ("--encoding", "of tables and text files, such as cp1252"),
    ):
        parser.add_argument(flag, metavar="NAME", default="", help=meaning)
    for flag, meaning in (
        ("--no-quotes", "quotation marks of a table are part of its text"),
        ("--caption-per-line", "each line of a text file is a caption"),
        ("--caption-from-model", "keep images without a caption; the model describes them"),
        ("--overwrite", "replace the output if it exists"),
    ):
        parser.add_argument(flag, action="store_true", help=meaning)


def run_import(options: Namespace) -> int:
    """Writes the input file and says what is in it."""
    # with image and table readers behind it, which the other commands need not load
    from grounding_assets.core.importing import ImportOptions, import_source

    source = Path(options.source).expanduser()
    output = Path(options.output).expanduser() if options.output else default_output(source)
    report = import_source(
        source,
        output,
        ImportOptions(
            form=Form(options.form) if options.form else None,
            image_root=Path(options.image_root).expanduser() if options.image_root else None,
            **{
                one.name: getattr(options, one.name)
                for one in fields(ImportOptions)
                if one.type in (str, bool)
            },
        ),
    )
    print("\n".join(import_words(report)))
    command = ["auto_label", "init", "--input", str(output)]
    print(f"Next: {shlex.join([*command, '--image-root', str(report.image_root)])}")
    return EXIT_OK


def default_output(source: Path) -> Path:
    """In the working folder, under the source's name: never the source itself."""
    return Path(f"{source.resolve().name.split('.')[0] or 'captions'}{_OUTPUT_SUFFIX}")


def import_words(report: "ImportReport") -> list[str]:
    """What was written, from what, and what was left out."""
    roles = "; ".join(
        f"{role} from {' or '.join(repr(name) for name in sorted(names))}"
        for role, names in report.used_fields.items()
        if names
    )
    lines = [f"Wrote {report.output}: {report.written:,} records (form {report.form}; {roles})."]
    if report.without_caption:
        lines.append(
            f"  {report.without_caption:,} of them have no caption: the model describes the image first."
        )
    missing = report.written - report.images_found
    if missing:
        lines.append(f"  {missing:,} name an image that is not there, the first {report.first_missing}.")
    lines += [f"  {words}" for words in report.left_out_words()]
    if report.extracted is not None:
        lines.append(f"  Images: {report.extracted}")
    if report.gold is not None:
        lines.append(f"  Gold, for data.gold_jsonl and `auto_label evaluate`: {report.gold}")
    return [visible(line) for line in lines]
