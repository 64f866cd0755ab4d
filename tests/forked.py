"""`auto_label`, or any function, in processes of its own that a test may signal, limit and kill.

They are forked from a server process that has the imports behind it, three seconds of processor time each, which is
what makes hundreds of them affordable. `tests.wheel` and `tests.doors.test_command` start the console script itself.
"""

import io
import multiprocessing
import multiprocessing.process
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

PATIENCE_S = 120.0
"""How long anything may take on a busy machine before a test gives up."""
HOST = "endpoint.test"
"""A name that no network knows (RFC 2606)."""
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [
        "__main__",
        "tests.forked",
        "tests.migrations",
        "grounding_assets.cli.generate",
        "grounding_assets.graph",
        "resources.vlm.openai_compatible",
        "resources.vlm.teacher",
        "resources.vlm.measuring",
        "resources.local_teacher.teacher",
        "google.genai",
        "httpcore2",
        "upath.implementations.local",
    ]
)


def process(work: Callable[..., object], *arguments: object) -> multiprocessing.process.BaseProcess:
    """Runs `work` of some module, which is pickled with its arguments."""
    started = _context.Process(target=work, args=arguments, daemon=True)
    started.start()
    return started


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended."""

    code: int
    """Exit code; minus the signal's number where one killed it."""
    stdout: str
    stderr: str
    seconds: float
    """From its start."""

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


class Forked:
    """One `auto_label` command under way. Leaving the context kills what is left of it."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        *arguments: str,
        outputs: Path | None = None,
        file_size_limit: int | None = None,
        names: Path | None = None,
        name: str = "run",
        terminal: str = "",
    ):
        """In `folder`, where its output is kept as well unless `outputs` names another folder; `name` tells the
        outputs of two at once apart. With `names`, host names are resolved as `_resolving` says. On a
        `terminal`, the path of a pty's end, what it says is kept nowhere.
        """
        streams = () if terminal else ("stdout", "stderr")
        self._files = [(outputs or folder) / f".{name}.{stream}" for stream in streams]
        for file in self._files:
            file.write_bytes(b"")
        self._began = time.monotonic()
        files = [str(file) for file in self._files]
        self._process = _context.Process(
            target=_auto_label,
            args=(str(folder), dict(environment), arguments, files or [terminal], file_size_limit, names),
        )
        self._process.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.is_alive():
            self._process.kill()
        self._process.join()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    @property
    def stderr(self) -> str:
        """What it has said so far."""
        return self._files[1].read_text(encoding="utf-8") if self._files else "see the terminal"

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Returns as soon as it holds; fails where the process ends first."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.alive, f"ended with {self._process.exitcode} before {what}: {self.stderr}"
            assert time.monotonic() < deadline, f"no {what} within {PATIENCE_S:g} s: {self.stderr}"
            time.sleep(0.002)

    def until_or_end(self, condition: Callable[[], object]) -> None:
        """Returns as soon as it holds or the process has ended."""
        deadline = time.monotonic() + PATIENCE_S
        while self.alive and not condition():
            assert time.monotonic() < deadline, f"nothing happened within {PATIENCE_S:g} s: {self.stderr}"
            time.sleep(0.002)

    def ended(self, within_s: float = PATIENCE_S) -> Ended:
        """Waits for the end."""
        self._process.join(within_s)
        seconds = time.monotonic() - self._began
        assert not self.alive, f"still running after {seconds:.1f} s: {self.stderr}"
        stdout, stderr = (
            (file.read_text(encoding="utf-8") for file in self._files) if self._files else ("", "")
        )
        assert self._process.exitcode is not None
        return Ended(self._process.exitcode, stdout, stderr, seconds)

    def kill(self) -> Ended:
        """kill -9."""
        self._process.kill()
        return self.ended()


def _auto_label(
    folder: str,
    environment: dict[str, str],
    arguments: tuple[str, ...],
    outputs: list[str],
    limit: int | None,
    names: Path | None,
) -> None:
    """In the forked process: takes on folder, environment and outputs, then is the command."""
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if len(outputs) == 1:
        _take_terminal(outputs[0])
    else:
        for descriptor, file in zip((1, 2), outputs, strict=True):
            os.dup2(os.open(file, os.O_WRONLY), descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    if names is not None:
        _resolving(names)
    from grounding_assets.cli import main

    sys.exit(main(arguments))


def _take_terminal(path: str) -> None:
    """Of a session of its own, the process gets the first terminal that it opens as its controlling one."""
    opened = os.open(path, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(opened, descriptor)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, io.TextIOWrapper)
        stream.reconfigure(line_buffering=True)


def _resolving(names: Path) -> None:
    """In place of the operating system's resolver: `HOST` is this machine while the file exists, and without it there
    is no answer for any name, as where the network is gone.
    """
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        if not names.exists():
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return resolve("127.0.0.1" if host == HOST else host, *arguments, **options)

    socket.getaddrinfo = getaddrinfo
