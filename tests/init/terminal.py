"""A person at a terminal: `auto_label` on a real pty, read and answered line by line."""

import os
import pty
import re
import termios
from pathlib import Path
from typing import Self

import pexpect
from pexpect.fdpexpect import fdspawn

from tests.doors.project import Project
from tests.forked import Forked

_KEYS = ("GOOGLE_API_KEY", "OPENAI_API_KEY")
_PATIENCE_S = 60
_AGAIN_S = 10


class Terminal:
    """`auto_label init` in a project's folder. `said` is all that it has shown."""

    def __init__(self, project: Project, *flags: str, **environment: str):
        inherited = {name: value for name, value in project.environment.items() if name not in _KEYS}
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(ours, (50, 200))
        environment = {**inherited, "TERM": "xterm-256color", **environment}
        self._command = Forked(project.folder, environment, "init", *flags, terminal=os.ttyname(theirs))
        # ours would be at its end while nobody holds theirs
        self._command.until_or_end(lambda: _holds(self._command.pid, os.ttyname(theirs)))
        os.close(theirs)
        self._process = fdspawn(ours, encoding="utf-8", timeout=_PATIENCE_S)
        self.said = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.close()
        self._command.__exit__()

    def answer(self, prompt: str, text: str = "") -> str:
        """Waits for a prompt that holds these words, answers it, and returns what was said before it."""
        before = self._until(re.escape(prompt) + r"[^\n]*: $")
        self._process.sendline(text)
        return before

    def press(self, prompt: str, control: str) -> None:
        """Waits for the prompt and presses Ctrl and that letter; again after a while, as a person does.

        A signal that comes between the prompt and the read that follows it wakes CPython's `input` at the next key only.
        """
        self._until(re.escape(prompt) + r"[^\n]*: $")
        for _ in range(_PATIENCE_S // _AGAIN_S):
            os.write(self._process.child_fd, bytes([ord(control) - ord("a") + 1]))
            if self._process.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=_AGAIN_S) == 0:
                break
        self.said += self._process.before if isinstance(self._process.before, str) else ""

    def end(self) -> int:
        """Waits until the command ends; returns its exit code."""
        self._until(pexpect.EOF)
        code = self._command.ended().code
        assert code >= 0, f"killed by signal {-code}"
        return code

    def _until(self, pattern: str | type[pexpect.EOF]) -> str:
        try:
            self._process.expect(pattern)
        finally:
            before = self._process.before if isinstance(self._process.before, str) else ""
            self.said += before + (self._process.after if isinstance(self._process.after, str) else "")
        return before


def _holds(pid: int, terminal: str) -> bool:
    try:
        return Path(f"/proc/{pid}/fd/0").readlink() == Path(terminal)
    except OSError:
        return False


def free_port_url() -> str:
    """An address on loopback where nothing listens."""
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}/v1"


def written_files(folder: Path) -> set[str]:
    """Every file below a folder, hidden ones too."""
    return {os.fspath(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
