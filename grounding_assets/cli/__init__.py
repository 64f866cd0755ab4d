"""`auto_label`: the command, in the grammar that users of NVIDIA TAO know.

Here: the parser and the one place where unexpected errors are caught. Each subcommand has a module.
"""

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from grounding_assets.cli.command_words import list_words
from grounding_assets.cli.import_source import add_import_arguments, run_import
from grounding_assets.cli.words import take_overrides, without_tao_flags
from grounding_assets.core.errors import GroundingError

RESTORE_EXAMPLES = """examples:
  auto_label restore -e spec.yaml                     what was replaced, and when
  auto_label restore -e spec.yaml apply=true          bring back the last result of each sample and step
  auto_label restore -e spec.yaml step=1 apply=true   of step 1 only
  auto_label restore -e spec.yaml sample=0001,0002 apply=true

What is replaced is kept aside in turn: restoring once more brings it back."""
_SETTINGS = "settings that override the spec, in Hydra's grammar"
_ON_SPEC = {
    "report": ("write report.html from the results", _SETTINGS, "report.report"),
    "review": (
        "take over what reviewers marked, which exports follow then; or send results to a tool for it",
        "marks=FILE,… to=label_studio|cvat, and settings as a.b=value",
        "review.review",
    ),
    "evaluate": (
        "measure the results on gold=FILE or gold=reviewed; other=FOLDER compares two",
        "gold=FILE|reviewed other=FOLDER steps=step_1, and settings as a.b=value",
        "evaluate.evaluate",
    ),
    "estimate": (
        "what the samples without a result will take, from those that have one",
        _SETTINGS,
        "estimate.estimate",
    ),
    "reparse": (
        "read the stored replies again, without a call; apply=true keeps it",
        "apply=true, and settings as a.b=value",
        "reparse.reparse_results",
    ),
    "restore": (
        "bring back results that were replaced, without a call; apply=true does it",
        "apply=true step=1 sample=ID,… replaced=TIME, and settings as a.b=value",
        "restore.restore_results",
    ),
    "export": (
        "write the annotations as format=odvg|mdetr|coco|flickr30k_entities|parquet",
        "format=NAME min_score=0.5 drop_unboxed=true …, and settings as a.b=value",
        "export.export",
    ),
    "doctor": (
        "examine the endpoint: reachable, key, model, and how it writes boxes",
        _SETTINGS,
        "doctor.doctor",
    ),
}
"""Commands of (spec file, words): help, what the words may be, and the function that runs it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns 0 if every sample has a result, 1 if some failed, 2 for wrong input, 3 if some
    wait for batch jobs."""
    options, extras = command_parser().parse_known_args(
        without_tao_flags(sys.argv[1:] if arguments is None else arguments)
    )
    if extras:
        # argparse takes positional words in one place only, and people write them anywhere, as with TAO
        if not hasattr(options, "overrides"):
            options.parser.error(f"unrecognized arguments: {' '.join(extras)}")
        options.overrides += take_overrides(options.parser, extras)
    try:
        return options.run(options)
    except GroundingError as error:
        if options.debug:
            raise
        print(f"auto_label: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(
            "auto_label: Interrupted. Everything finished is kept; the same command goes on.", file=sys.stderr
        )
        return 130
    except BrokenPipeError:
        # the reader of our output has gone, as in `auto_label … | head`; there is nobody left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if options.debug:
            raise
        print(
            f"auto_label: unexpected {type(error).__name__}: {error}. Finished samples are kept; "
            "run again with --debug for a traceback to report.",
            file=sys.stderr,
        )
        return 1


def command_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="auto_label", description="Phrase-grounding annotations from images and captions."
    )
    # also accepted after the subcommand, where people add it
    debug = argparse.ArgumentParser(add_help=False)
    debug.add_argument("--debug", action="store_true", default=False, help="show tracebacks")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    init = commands.add_parser(
        "init", parents=[debug], help="begin here: answer a few questions, test the endpoint, get a spec"
    )
    _add_init_arguments(init)
    init.set_defaults(run=lambda options: _imported("init.guide.init")(options))

    importing = commands.add_parser(
        "import",
        parents=[debug],
        help="make an input JSONL of a CSV, JSON, COCO captions, a folder of images, archives or Parquet",
    )
    add_import_arguments(importing)
    importing.set_defaults(run=run_import)

    demo = commands.add_parser(
        "demo", parents=[debug], help="put the demonstration, four photos with captions, into this folder"
    )
    demo.set_defaults(run=lambda options: _imported("demo.copy_demo")())

    generate = commands.add_parser(
        "generate", parents=[debug], help="annotate everything that is pending, then write the JSONL files"
    )
    _add_spec_arguments(generate, "redo=rejected, and settings that override the spec, in Hydra's grammar")
    generate.add_argument("--wait", action="store_true", help="wait for batch jobs instead of ending")
    generate.set_defaults(run=_on_spec("generate.generate", "wait"))

    batch = commands.add_parser(
        "batch", parents=[debug], help="list the batch jobs, cancel id=ID, or collect what has ended"
    )
    batch.add_argument("action", choices=("list", "cancel", "collect"))
    _add_spec_arguments(batch, "id=ID or id=all, give_up=true, and settings as a.b=value")
    batch.set_defaults(run=_on_spec("batch.batch", "action"))

    for name, (description, words, function) in _ON_SPEC.items():
        command = commands.add_parser(name, parents=[debug], help=description)
        _add_spec_arguments(command, words)
        command.set_defaults(run=_on_spec(function))
    commands.choices["restore"].epilog = RESTORE_EXAMPLES

    default_specs = commands.add_parser(
        "default_specs", parents=[debug], help="write a commented spec to results_dir/experiment.yaml"
    )
    default_specs.add_argument(
        "overrides", nargs="*", metavar="name=value", help="results_dir=DIR module_name=auto_label"
    )
    default_specs.set_defaults(
        run=lambda options: _imported("default_specs.write_default_spec")(options.overrides)
    )
    for name, command in commands.choices.items():
        command.set_defaults(parser=command)
        list_words(name, command)
    return parser


def _add_spec_arguments(parser: argparse.ArgumentParser, words: str) -> None:
    parser.add_argument(
        "-e",
        "--experiment_spec_file",
        default="spec.yaml",
        metavar="SPEC",
        help="spec file; default: spec.yaml",
    )
    parser.add_argument("-r", "--results_dir", metavar="DIR", help="the same as results_dir=DIR")
    parser.add_argument("overrides", nargs="*", metavar="a.b=value", help=words)


def _add_init_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--input", metavar="JSONL", help="file with image_path and caption on each line")
    parser.add_argument("--image-root", metavar="DIR", help="folder that relative image paths start from")
    parser.add_argument("--steps", metavar="0,1", help="0 finds the expressions, 1 their boxes")
    parser.add_argument("--results-dir", metavar="DIR", help="folder of all results")
    parser.add_argument("--name", help="name of the data set in Dagster")
    reuse = parser.add_mutually_exclusive_group()
    for choice, meaning in (("resume", "keep existing results"), ("afresh", "make them again")):
        reuse.add_argument(f"--{choice}", dest="reuse", action="store_const", const=choice, help=meaning)
    parser.add_argument("--endpoint", metavar="KIND", help="gemini, nim, tao, vllm, custom or local")
    parser.add_argument("--base-url", metavar="URL", help="where the endpoint is")
    parser.add_argument("--model", help="model name as the endpoint lists it")
    parser.add_argument("--spec", metavar="FILE", help="spec file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace the spec file if it exists")
    parser.add_argument("--yes", action="store_true", help="ask nothing: flags and defaults decide")


def _overrides(options: argparse.Namespace) -> list[str]:
    folder = [f"results_dir='{options.results_dir}'"] if options.results_dir else []
    return [*options.overrides, *folder]


def _on_spec(function: str, *flags: str) -> Callable[[argparse.Namespace], int]:
    """Calls `function` with the spec file and its overrides; `flags` are passed on by name."""

    def run(options: argparse.Namespace) -> int:
        more = {flag: getattr(options, flag) for flag in flags}
        return _imported(function)(options.experiment_spec_file, _overrides(options), **more)

    return run


def _imported(function: str) -> Callable[..., int]:
    """`module.function` of this package, of which only what the command needs is imported."""
    module, _, name = function.rpartition(".")
    # all that is imported stays: looking for garbage among it takes a fifth of the time
    gc.disable()
    found = getattr(import_module(f"grounding_assets.cli.{module}"), name)
    gc.freeze()
    gc.enable()
    return found
