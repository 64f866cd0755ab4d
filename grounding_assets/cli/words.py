"""Words of a command line such as `gold=gold.jsonl`: a subcommand's own, told apart from spec overrides."""

import difflib
import sys
from argparse import ArgumentParser
from collections.abc import Collection, Mapping, Sequence

from grounding_assets.core.errors import SpecError


def split_words(words: Sequence[str], own: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """The values of a subcommand's own words, without quotes around them, and the overrides that are left.

    Raises:
        SpecError: a word is given twice, or without a value.
    """
    given: dict[str, str] = {}
    overrides = []
    for word in words:
        name, _, value = word.partition("=")
        if name not in own:
            overrides.append(word)
            continue
        if name in given:
            raise SpecError(f"{name}= is given twice.")
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        if not value:
            raise SpecError(f"{name} needs a value: {name}=…")
        given[name] = value
    return given, overrides


def as_overrides(words: Sequence[str], section: str, fields: Collection[str]) -> list[str]:
    """Words that are bare names of a section's fields as overrides of that section, `a=1` as `section.a=1`."""
    return [f"{section}.{word}" if word.partition("=")[0] in fields else word for word in words]


def checked_choice(given: Mapping[str, str], name: str, choices: Sequence[str], default: str) -> str:
    """The value of a word that takes one of a few.

    Raises:
        SpecError: it is none of them.
    """
    value = given.get(name, default)
    if value not in choices:
        raise SpecError(f"{name}={value} is not known: choose {' or '.join(choices)}.")
    return value


def switch(given: Mapping[str, str], name: str) -> bool:
    """Whether a word that is false by default is true.

    Raises:
        SpecError: it is neither.
    """
    return checked_choice(given, name, ("false", "true"), "false") == "true"


TAO_FLAGS: Mapping[str, int] = {
    "--gpus": 1,
    "--num_gpus": 1,
    "--gpu_ids": 1,
    "--gpu_index": 1,
    "--use_amp": 0,
    "--log_file": 1,
    "-k": 1,
    "--key": 1,
}
"""Flags of TAO's launcher that mean nothing here, and how many values follow each."""


def without_tao_flags(arguments: Sequence[str]) -> list[str]:
    """The arguments without flags of TAO's launcher, which are named on standard error and have no effect."""
    kept: list[str] = []
    passed_over: list[str] = []
    waiting = iter(arguments)
    for word in waiting:
        name, equals, _ = word.partition("=")
        if name not in TAO_FLAGS:
            kept.append(word)
            continue
        passed_over.append(name)
        for _ in range(0 if equals else TAO_FLAGS[name]):
            next(waiting, None)
    if passed_over:
        print(f"TAO's {', '.join(passed_over)} has no effect here.", file=sys.stderr)
    return kept


def take_overrides(parser: ArgumentParser, extras: Sequence[str]) -> list[str]:
    """What the parser left over since it stood behind a flag: overrides. A flag among it ends the program with 2."""
    for word in extras:
        if word.startswith("-"):
            name = word.partition("=")[0]
            known = [flag for action in parser._actions for flag in action.option_strings]
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            parser.error(f"unknown flag {name}; the nearest known one is {nearest[0]}")
    return list(extras)
