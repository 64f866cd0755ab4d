"""Keys: which one counts, and that nothing shows one."""

import copy
import pickle

import pytest

from grounding_assets.core.spec.loading import validate_spec
from grounding_assets.core.spec.settings import Spec
from resources.credentials import ENVIRONMENT_VARIABLES, Credentials

KEY = "AIza-secret-of-the-spec"
OTHER = "sk-secret-of-the-environment"


def spec(gemini: str = "", openai: str = "") -> Spec:
    vlm = {"gemini": {"api_key": gemini}, "openai": {"api_key": openai}}
    return validate_spec({"results_dir": "r", "image_grounding": {"vlm": vlm}}, where="test")


@pytest.mark.parametrize(
    ("in_spec", "environment", "expected"),
    [
        ("", None, ""),
        (KEY, None, KEY),
        ("", OTHER, OTHER),
        (KEY, OTHER, KEY),
        ("", "", ""),
    ],
)
@pytest.mark.parametrize("backend", ["gemini", "openai"])
def test_the_specs_key_counts_before_the_environments(
    backend: str, in_spec: str, environment: str | None, expected: str
) -> None:
    variables = {} if environment is None else {ENVIRONMENT_VARIABLES[backend]: environment}
    found = Credentials.of(spec(**{backend: in_spec}), variables)
    assert getattr(found, backend) == expected
    assert getattr(found, "openai" if backend == "gemini" else "gemini") == ""


def test_the_documented_variables_are_read() -> None:
    found = Credentials.of(spec(), {"GOOGLE_API_KEY": "a", "OPENAI_API_KEY": "b", "GEMINI_API_KEY": "c"})
    assert (found.gemini, found.openai) == ("a", "b")


def test_nothing_shows_a_key() -> None:
    given = spec(KEY, OTHER)
    found = Credentials.of(given, {})
    shown = [
        repr(found),
        str(found),
        repr(given),
        str(given),
        given.model_dump_json(),
        repr(given.model_dump()),
    ]
    shown += [repr(copy.deepcopy(found)), repr(given.vlm.gemini), f"{given.vlm.openai!r}", str(vars(given))]
    for text in shown:
        assert KEY not in text and OTHER not in text
    assert pickle.loads(pickle.dumps(found)) == found, "two that differ in a key are not equal by accident"
    assert found != Credentials.of(spec(KEY, KEY), {})
