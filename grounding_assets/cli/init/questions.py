"""Asking one question: from a flag, on the terminal, or by the default; wrong answers are explained.

Not here: what is asked, and what makes an answer right.
"""

from collections.abc import Callable, Sequence

from rich.console import Console

from grounding_assets.core.errors import SpecError

MAX_SHOWN = 200


class WrongAnswer(Exception):
    """The answer cannot be used; its text says why and what to give instead."""


class Questions:
    """Unattended it reads nothing: a question without a flag takes its default, or is an error."""

    def __init__(self, console: Console, *, attended: bool):
        self.attended = attended
        self._console = console

    def say(self, text: str) -> None:
        self._console.print(text)

    def ask(
        self,
        flag: str,
        prompt: str,
        check: Callable[[str], str],
        *,
        given: str | None = None,
        default: str | None = None,
    ) -> str:
        """The checked answer. `given` is what the flag said, `default` what Enter alone means.

        Raises:
            SpecError: unattended, and the answer is wrong or there is none.
            EOFError: the terminal's input has ended.
        """
        asking = f"{prompt} [{default}]" if default else prompt
        if given is None and not self.attended:
            if default is None:
                raise SpecError(f"{prompt}: give {flag}, or leave --yes out to be asked.")
            given = default
        while True:
            answer = given if given is not None else self._console.input(f"{asking}: ", markup=False).strip()
            answer = answer or default or ""
            try:
                if not answer and default is None:
                    raise WrongAnswer("This needs an answer.")
                checked = check(_storable(answer))
                if given is not None:
                    self.say(f"{asking}: {printable(given)}")
                return checked
            except WrongAnswer as wrong:
                if not self.attended:
                    raise SpecError(f"{flag}: {wrong}") from None
                self.say(f"  {wrong}")
                given = None

    def choose(
        self,
        flag: str,
        prompt: str,
        choices: Sequence[str],
        *,
        given: str | None = None,
        default: str | None = None,
    ) -> str:
        """One of the choices, which may be named by its number, from 1 on."""

        def check(answer: str) -> str:
            if answer in choices:
                return answer
            if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(choices):
                return choices[int(answer) - 1]
            begun = [choice for choice in choices if answer and choice.startswith(answer.lower())]
            if len(begun) == 1:
                return begun[0]
            shown = ", ".join(printable(choice) for choice in choices[:10])
            raise WrongAnswer(f"'{printable(answer)}' is none of: {shown}. Give a name or its number.")

        return self.ask(flag, prompt, check, given=given, default=default)


def printable(text: str) -> str:
    """Text of others for the terminal: on one line, not too long, without control characters."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:MAX_SHOWN])
    return shown + ("…" if len(text) > MAX_SHOWN else "")


def _storable(answer: str) -> str:
    try:
        answer.encode("utf-8")
    except UnicodeEncodeError:
        raise WrongAnswer("This is not UTF-8, which a spec is written in.") from None
    if any(ord(character) < 32 or ord(character) == 127 for character in answer):
        raise WrongAnswer("This holds control characters, such as those of an arrow key.")
    return answer
