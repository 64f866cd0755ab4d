"""The answers about a sample whose step 2 is not finished, so that a killed run pays for none of them twice.

One file a sample in `.partial/`, a line an answer; it goes when the checkpoint is there. Only answers are kept:
a question that failed is asked again.
"""

import json
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

from grounding_assets.core.annotation.verifier import Answer
from grounding_assets.core.files import stopping_if_unwritable, to_json

_ANSWER = TypeAdapter(Answer)


class VerificationJournal:
    """Of one sample; `made_of` is a digest of all that its answers depend on: others are passed over."""

    def __init__(self, step_dir: Path, sample_id: str, made_of: str):
        self._path = step_dir / ".partial" / f"{sample_id}.json"
        self._made_of = made_of

    def read(self) -> dict[str, Answer]:
        """The answers by the id of the box or expression that was asked about."""
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return {}
        found = {}
        for line in lines:
            try:
                row = json.loads(line)
                if row["made_of"] == self._made_of and row["answer"]["verdict"]:
                    found[row["id"]] = _ANSWER.validate_python(row["answer"])
            except (ValueError, KeyError, TypeError, RecursionError):
                # a line cut by a kill: its question is simply asked again
                continue
        return found

    def append(self, subject: str, answer: Answer) -> None:
        """Keeps an answer; survives the end of this process.

        Raises:
            RunStopped: it cannot be written.
        """
        if answer.verdict is None:
            return
        line = to_json({"made_of": self._made_of, "id": subject, "answer": asdict(answer)})
        with stopping_if_unwritable(self._path):
            self._path.parent.mkdir(exist_ok=True)
            with self._path.open("ab", buffering=0) as stream:
                # first an end of line: the last one may have been cut
                stream.write(b"\n" + line + b"\n")

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)
