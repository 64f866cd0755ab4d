"""The way through `auto_label init`: input, images, steps, results, endpoint, and the spec that comes of it."""

import os
import shlex
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from grounding_assets.cli.default_specs import spec_text, write_spec
from grounding_assets.cli.import_source import default_output, import_words
from grounding_assets.cli.init.answers import Answers
from grounding_assets.cli.init.choices import CHOICES
from grounding_assets.cli.init.endpoint import NoEndpoint, settle_endpoint
from grounding_assets.cli.init.input_check import InputCheck, check_input, root_candidates
from grounding_assets.cli.init.questions import Questions, WrongAnswer, printable
from grounding_assets.core.dataset.names import proposed_name
from grounding_assets.core.errors import EXIT_OK, EXIT_SAMPLES_FAILED, GroundingError, InputError
from grounding_assets.core.importing import ImportOptions, import_source
from grounding_assets.core.input_forms import conversion_advice, convertible_form
from grounding_assets.core.spec.settings import DataSpec, Spec, WorkflowSpec
from grounding_assets.core.steps import Step
from grounding_assets.shipped import INSTANCE_FILE, WORKSPACE_FILE, copy_shipped

PILOT_SAMPLES = 10
INTERRUPTED = 130


def init(options: Namespace) -> int:
    """Asks for what the flags do not say; returns 0 once a spec is written, 1 without an endpoint that works."""
    answers = Answers(**{name: getattr(options, name) for name in vars(Answers())})
    plain = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    guide = Guide(Questions(plain, attended=not options.yes), answers, Console(highlight=False), os.environ)
    try:
        guide.ask_all()
        guide.write(overwrite=options.overwrite)
    except NoEndpoint as trouble:
        print(f"auto_label: {trouble}\nThen go on with: {answers.command()}", file=sys.stderr)
        return EXIT_SAMPLES_FAILED
    except (KeyboardInterrupt, EOFError) as end:
        interrupted = isinstance(end, KeyboardInterrupt)
        what = "Interrupted" if interrupted else "The answers ended too early"
        print(f"\nauto_label: {what}; no spec was written. Go on with: {answers.command()}", file=sys.stderr)
        return INTERRUPTED if interrupted else EXIT_SAMPLES_FAILED
    return EXIT_OK


class Guide:
    """Asks one thing after the other; what is answered stands in `answers` at any time."""

    def __init__(
        self, questions: Questions, answers: Answers, console: Console, environment: Mapping[str, str]
    ):
        self._questions, self._answers = questions, answers
        self._console, self._environment = console, environment

    def ask_all(self) -> None:
        self._ask_input()
        self._ask_steps()
        self._ask_results()
        settle_endpoint(self._questions, self._answers, self._environment, self._console)

    def _ask(self, name: str, prompt: str, check: Callable[[str], str], default: str | None = None) -> str:
        """Asks for what the flag of this name may have said; the answer stands in `answers` from then on."""
        flag, given = f"--{name.replace('_', '-')}", getattr(self._answers, name)
        answer = self._questions.ask(flag, prompt, check, given=given, default=default)
        setattr(self._answers, name, answer)
        return answer

    def _ask_input(self) -> None:
        questions = self._questions
        found: dict[str, InputCheck] = {}

        def check(answer: str) -> str:
            path = Path(answer).expanduser()
            if questions.attended and convertible_form(path) is not None:
                path = self._converted(path)
            found[str(path)] = _usable_input(path)
            return str(path)

        file = self._ask("input", "Input JSONL, or a file or folder to make one of", check)
        looked_at = found[file]
        _show_input(questions, looked_at)
        if looked_at.needs_root:
            self._ask_image_root(looked_at, Path(file))
        else:
            _show_images(questions, looked_at, Path())

    def _converted(self, source: Path) -> Path:
        """The input made of a file or folder in another form, once it is agreed to."""
        questions, answers, output = self._questions, self._answers, default_output(source)
        if output.exists():
            questions.say(f"  {output}, which was made of it before, is taken.")
            return output
        prompt = f"This is no input yet. Write {output} from it"
        if questions.choose("", prompt, ("yes", "no"), default="yes") == "no":
            raise WrongAnswer(f"{source} is no input JSONL.{conversion_advice(source)}")
        root = Path(answers.image_root) if answers.image_root else None
        try:
            report = import_source(source, output, ImportOptions(image_root=root))
        except GroundingError as error:
            raise WrongAnswer(str(error)) from None
        for line in import_words(report):
            questions.say(f"  {line}")
        answers.image_root = str(report.image_root)
        return output

    def _ask_image_root(self, looked_at: InputCheck, input_file: Path) -> None:
        questions = self._questions
        candidates = root_candidates(looked_at, input_file)
        for folder, count in candidates if self._answers.image_root is None else []:
            questions.say(f"  {folder} has {count} of {len(looked_at.image_paths)}")

        def check(answer: str) -> str:
            root = Path(answer).expanduser()
            if len(missing := looked_at.missing(root)) == len(looked_at.image_paths):
                raise WrongAnswer(f"No image is found from there; the first would be {missing[0]}.")
            return str(root)

        # a script says it, or is told: a folder that happens to fit is no answer
        suggested = str(candidates[0][0]) if candidates and questions.attended else None
        root = self._ask("image_root", "Folder that relative image paths start from", check, suggested)
        _show_images(questions, looked_at, Path(root))

    def _ask_steps(self) -> None:
        def check(answer: str) -> str:
            names = answer.strip("[]").replace('"', "").replace(",", " ").split()
            try:
                return ",".join(WorkflowSpec.model_validate({"steps": names}).steps)
            except ValidationError:
                raise WrongAnswer(
                    "Give 0 (expressions of a caption), 1 (their boxes), or 0,1 for both."
                ) from None

        self._ask("steps", "Steps: 0 finds the expressions, 1 their boxes, 0,1 does both", check, "0,1")

    def _ask_results(self) -> None:
        questions, answers = self._questions, self._answers

        def check_folder(answer: str) -> str:
            folder = Path(answer).expanduser()
            _require_writable(folder)
            extracted = folder / Step.EXTRACTION.folder / "annotations.jsonl"
            if answers.steps == "1" and not extracted.is_file():
                raise WrongAnswer(f"Step 1 alone reads {extracted}, which is not there.")
            return str(folder)

        suggested = str(Path("results") / Path(answers.input or "").stem.removesuffix(".input"))
        folder = Path(self._ask("results_dir", "Results folder", check_folder, suggested))
        if count := _results_in(folder):
            questions.say(f"  It holds {count} results of an earlier run.")
            reuse = questions.choose(
                "--resume or --afresh",
                "Resume, or annotate afresh (the old results are kept aside)",
                ("resume", "afresh"),
                given=answers.reuse,
                default="resume",
            )
            answers.reuse = "afresh" if reuse == "afresh" else "resume"

        def check_name(answer: str) -> str:
            try:
                DataSpec(name=answer)
            except ValidationError:
                raise WrongAnswer("A name has up to 80 letters, digits and underscores.") from None
            return answer

        self._ask("name", "Name of the data set in Dagster", check_name, proposed_name(folder))

    def write(self, *, overwrite: bool) -> None:
        """Writes the spec and says what is next.

        Raises:
            SpecError: it cannot be written, or unattended and it exists.
        """

        def check(answer: str) -> str:
            path = Path(answer).expanduser()
            if path.is_dir():
                raise WrongAnswer(f"{path} is a folder; name a file, such as {path / 'spec.yaml'}.")
            _require_writable(path.parent)
            if path.exists() and not overwrite and not self._may_overwrite(path):
                raise WrongAnswer(f"{path} exists and stays; name another file, or give --overwrite.")
            return str(path)

        file = self._ask("spec", "Spec file to write", check, "spec.yaml")
        spec = self._answers.to_spec()
        command = ["auto_label", "generate", "-e", file]
        heading = f"Spec of an image_grounding run. To run it: {shlex.join(command)}"
        write_spec(Path(file), spec_text(spec, heading, everything=False))
        self._say_what_is_next(spec, command)

    def _may_overwrite(self, path: Path) -> bool:
        return self._questions.attended and (
            self._questions.choose("", f"{path} exists. Overwrite it", ("yes", "no"), default="no") == "yes"
        )

    def _say_what_is_next(self, spec: Spec, command: list[str]) -> None:
        questions, choice = self._questions, CHOICES[self._answers.endpoint or "local"]
        once = ["workflow.force_reprocess=true"] if self._answers.reuse == "afresh" else []
        questions.say(f"Wrote {self._answers.spec}.")
        for path in copy_shipped((INSTANCE_FILE, WORKSPACE_FILE), Path.cwd()):
            questions.say(f"Wrote {path.name}, with which `dagster dev` shows this folder's data set.")
        if choice.key_variable and self._environment.get(choice.key_variable):
            questions.say(f"The key stays in {choice.key_variable}; the spec does not hold it.")
        questions.say(f"Next, a pilot: {shlex.join([*command, f'workflow.limit={PILOT_SAMPLES}', *once])}")
        if once:
            questions.say("A run afresh that was interrupted is resumed without workflow.force_reprocess.")


def _usable_input(path: Path) -> InputCheck:
    try:
        found = check_input(path)
    except InputError as error:
        raise WrongAnswer(str(error)) from None
    if not found.usable:
        first = f" Line {found.problems[0].number}: {found.problems[0].reason}." if found.problems else ""
        advice = conversion_advice(path) or " Put image_path and caption on each line."
        raise WrongAnswer(f"{path} holds no usable record.{first}{advice}")
    if not found.needs_root and len(missing := found.missing(Path())) == len(found.image_paths):
        raise WrongAnswer(f"None of its first images exists; the first is {printable(str(missing[0]))}.")
    return found


def _show_input(questions: Questions, found: InputCheck) -> None:
    questions.say(f"  {found.usable + found.rejected} lines, {found.usable} of them usable")
    for problem in found.problems:
        questions.say(f"  line {problem.number}: {printable(problem.reason)}")
    if found.rejected > len(found.problems):
        questions.say(f"  and {found.rejected - len(found.problems)} more that cannot be used")


def _show_images(questions: Questions, found: InputCheck, root: Path) -> None:
    missing = found.missing(root)
    looked_at = len(found.image_paths)
    questions.say(f"  {looked_at - len(missing)} of the first {looked_at} images are found")
    if missing:
        questions.say(f"  the first that is missing: {printable(str(missing[0]))}")


def _require_writable(folder: Path) -> None:
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not nearest.is_dir():
        raise WrongAnswer(f"{nearest} is not a folder.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise WrongAnswer(f"{nearest} cannot be written to.")


def _results_in(folder: Path) -> int:
    """Results of the step that has more of them."""
    stores = [folder / step.folder / ".ckpt" for step in Step]
    return max(sum(1 for _ in store.iterdir()) if store.is_dir() else 0 for store in stores)
