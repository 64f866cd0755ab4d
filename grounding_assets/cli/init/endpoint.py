"""The questions about the endpoint, and the live test of the one that was chosen."""

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import ValidationError
from rich.console import Console

from grounding_assets.cli.init.answers import Answers
from grounding_assets.cli.init.choices import CHOICES, EndpointChoice
from grounding_assets.cli.init.questions import Questions, WrongAnswer, printable
from grounding_assets.cli.init.served_models import Listing, list_models
from grounding_assets.core.errors import GroundingError, RunStopped
from grounding_assets.core.spec.model_settings import OpenAiSpec
from grounding_assets.core.steps import Step
from resources.credentials import Credentials
from resources.vlm.families import family_of
from resources.vlm.resource import teacher_notice

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
    listing = asyncio.run(list_models(choice, answers.base_url, key))
    if listing.key_refused:
        raise NoEndpoint(_export_key(choice, "refuses the key" if key else "wants a key"))
    if listing.better_url:
        questions.say(f"  Models are listed at {listing.better_url}, so that is taken as the base URL.")
        answers.base_url = listing.better_url
    if listing.not_running:
        where = answers.base_url or "Google's address"
        raise _NotWorking(f"No endpoint answers at {where}: {printable(listing.not_running)}.")
    answers.model = _model(questions, choice, answers, listing)
    _test(questions, answers, environment, console)


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


def _model(questions: Questions, choice: EndpointChoice, answers: Answers, listing: Listing) -> str:
    # those first whose way of writing boxes is known
    names = sorted(listing.names, key=lambda name: (family_of(name).name == "unknown", name))
    if answers.model is None:
        for number, name in enumerate(names[:_MODELS_SHOWN], 1):
            questions.say(f"  {number}  {printable(name)}")
        if len(names) > _MODELS_SHOWN:
            questions.say(f"  and {len(names) - _MODELS_SHOWN} more")
        if not names:
            questions.say("  It lists no models: give the name that it was started with.")
    suggested = names[0] if len(names) == 1 else choice.model if choice.model in names or not names else ""

    def check(answer: str) -> str:
        refusal = family_of(answer).refusal
        if refusal and Step.GROUNDING in answers.to_spec().workflow.run_steps:
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
    questions.say("  Testing it with two small pictures …")
    # with Dagster behind it, which takes a second to load: the first question should not wait for that
    from grounding_assets.cli.doctor import show_examination
    from resources.dataset import DataSet

    spec = answers.to_spec()
    try:
        examination = asyncio.run(DataSet(spec, Credentials.of(spec, environment)).examine())
    except GroundingError as error:
        raise _NotWorking(printable(str(error))) from None
    if not show_examination(console, spec, examination):
        raise _NotWorking("The test failed; the table says in what.")
