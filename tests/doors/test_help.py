"""`--help` of each command lists the words that it takes."""

import ast
from pathlib import Path

import pytest

from grounding_assets.cli import main
from grounding_assets.cli.command_words import WORDS
from tests.corpus import PROJECT


def own_words(module: Path) -> set[str]:
    """What the module's call of `split_words` names."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    names = {
        target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id == "_OWN"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "split_words":
            own = node.args[1]
            return set(names[own.id] if isinstance(own, ast.Name) else ast.literal_eval(own))
    return set()


@pytest.mark.parametrize("name", WORDS)
def test_help_lists_every_word_of_the_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    listed = {word.partition("=")[0] for word in WORDS[name]}
    assert all(f"  {word}" in told for word in WORDS[name])
    assert own_words(PROJECT / "grounding_assets" / "cli" / f"{name}.py") <= listed
