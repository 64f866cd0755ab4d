"""The questions about the endpoint, and the live test of the one that was chosen."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import ValidationError
from rich.console import Console

from grounding_assets.cli.init.answers import Answers
from grounding_assets.cli.init.choices import CHOICES, EndpointChoice
from grounding_assets.cli.init.questions import Questions, WrongAnswer, printable
from grounding_assets.core.errors import GroundingError, RunStopped
from grounding_assets.core.spec.model_settings import OpenAiSpec
from grounding_assets.core.spec.settings import Spec
from resources.credentials import Credentials
from resources.vlm.families import family_of
from resources.vlm.resource import VLM_SECTION, build_client, teacher_notice

if TYPE_CHECKING:
    from resources.vlm.probe import Probed

_MODELS_SHOWN = 30


class NoEndpoint(RunStopped):
    """There is no endpoint that works; the message says what was wrong and how to get one."""


class _NotWorking(Exception):
    """This try failed; another one may not."""


def settle_endpoint(
    questions: Questions, answers: Answers, environment: Mapping[str, str], console: Console
) -> None:
    """Fills in endpoint, base URL and model, once they have been seen to work.

    Raises:
        NoEndpoint: none works, and the user does not want to try on.
    """
    while True:
        choice = _choose(questions, answers)
        try:
            _try_endpoint(questions, choice, answers, environment, console)
            return
        except _NotWorking as trouble:
            if not questions.attended:
                raise NoEndpoint(
                    f"{choice.short_title} does not work yet. {trouble} {choice.how_to_get}"
                ) from None
            questions.say(f"  {trouble}")
            questions.say(f"  {choice.how_to_get}")
            what = questions.choose(
                "", "Try again, change the endpoint, or stop", ("again", "change", "stop"), default="stop"
            )
            if what == "stop":
                raise NoEndpoint(f"{choice.short_title} does not work yet. {choice.how_to_get}") from None
            if what == "change":
                answers.endpoint = answers.base_url = answers.model = None


def _choose(questions: Questions, answers: Answers) -> EndpointChoice:
    if answers.endpoint is None:
        for number, choice in enumerate(CHOICES.values(), 1):
            questions.say(f"  {number}  {choice.title}")
    answers.endpoint = questions.choose("--endpoint", "Endpoint", tuple(CHOICES), given=answers.endpoint)
    choice = CHOICES[answers.endpoint]
    questions.say(f"  It needs {choice.needs}.")
    return choice


def _try_endpoint(
    questions: Questions,
    choice: EndpointChoice,
    answers: Answers,
    environment: Mapping[str, str],
    console: Console,
) -> None:
    if choice.backend == "local":
        questions.say(f"  {teacher_notice(answers.to_spec())}")
        return
    key = environment.get(choice.key_variable, "")
    answers.base_url = _base_url(questions, choice, answers)
    if not key and _needs_key(choice, answers.base_url):
        raise NoEndpoint(_export_key(choice, "needs a key, and there is none"))
    probed = _probed(answers.to_spec(), environment)
    if probed.key_refused:
        raise NoEndpoint(_export_key(choice, "refuses the key" if key else "wants a key"))
    if probed.better_base_url:
        questions.say(f"  Models are listed at {probed.better_base_url}, so that is taken as the base URL.")
        answers.base_url = probed.better_base_url
    if probed.unreachable:
        raise _NotWorking(printable(probed.unreachable))
    if probed.not_ready:
        raise _NotWorking(f"It is not ready: {printable(probed.not_ready)}.")
    answers.model = _model(questions, choice, answers, probed.names)
    _test(questions, answers, environment, console)


def _probed(spec: Spec, environment: Mapping[str, str]) -> "Probed":
    async def run() -> "Probed":
        client = build_client(spec, Credentials.of(spec, environment))
        try:
            return await probe(client)
        finally:
            await client.aclose()

    # with the SDK behind it, which takes a moment to load: the first question should not wait for that
    from resources.vlm.probe import probe

    return asyncio.run(run())


def _base_url(questions: Questions, choice: EndpointChoice, answers: Answers) -> str:
    prompt = "Base URL (Enter for Google's own)" if choice.backend == "gemini" else "Base URL"

    def check(answer: str) -> str:
        try:
            return OpenAiSpec(base_url=answer).base_url
        except ValidationError as error:
            reason = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
            raise WrongAnswer(f"A base URL {reason}.") from None

    return questions.ask("--base-url", prompt, check, given=answers.base_url, default=choice.base_url)


def _needs_key(choice: EndpointChoice, base_url: str) -> bool:
    host, domain = urlsplit(base_url).hostname or "", choice.needs_key_at
    return domain == "*" or bool(domain and (host == domain or host.endswith("." + domain)))


def _export_key(choice: EndpointChoice, trouble: str) -> str:
    return (
        f"{choice.short_title} {trouble}. {choice.how_to_get} Then put it into the environment of this shell, "
        f"never into a spec: export {choice.key_variable}=…"
    )


def _model(questions: Questions, choice: EndpointChoice, answers: Answers, served: Sequence[str]) -> str:
    # those first whose way of writing boxes is known
    names = sorted(served, key=lambda name: (family_of(name).name == "unknown", name))
    if answers.model is None:
        for number, name in enumerate(names[:_MODELS_SHOWN], 1):
            questions.say(f"  {number}  {printable(name)}")
        if len(names) > _MODELS_SHOWN:
            questions.say(f"  and {len(names) - _MODELS_SHOWN} more")
        if not names:
            questions.say("  It lists no models: give the name that it was started with.")
    suggested = names[0] if len(names) == 1 else choice.model if choice.model in names or not names else ""

    def check(answer: str) -> str:
        refusal = family_of(answer).why_not(answers.to_spec().workflow.run_steps, VLM_SECTION)
        if refusal:
            raise WrongAnswer(refusal)
        return answer

    given, default = answers.model, suggested or None
    if not names:
        return questions.ask("--model", "Model", check, given=given, default=default)
    while True:
        chosen = questions.choose("--model", "Model", names, given=given, default=default)
        try:
            return check(chosen)
        except WrongAnswer as wrong:
            if not questions.attended:
                raise NoEndpoint(str(wrong)) from None
            questions.say(f"  {wrong}")
            given = None


def _test(questions: Questions, answers: Answers, environment: Mapping[str, str], console: Console) -> None:
    # with Dagster behind it, which takes a second to load: the first question should not wait for that
    from grounding_assets.cli.doctor import show_examination
    from resources.dataset import DataSet

    spec = answers.to_spec()
    try:
        dataset = DataSet(spec, Credentials.of(spec, environment))
        examination = asyncio.run(dataset.examine(lambda text: questions.say(f"  {printable(text)}")))
    except GroundingError as error:
        raise _NotWorking(printable(str(error))) from None
    if not show_examination(console, spec, examination):
        raise _NotWorking("The test failed; the table says in what.")
