"""Words of a command line such as `gold=gold.jsonl`: a subcommand's own, told apart from spec overrides."""

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
