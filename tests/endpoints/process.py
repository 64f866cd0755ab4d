"""An endpoint in a process of its own, for measurements: started here, steered over HTTP."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.corpus import PROJECT


@dataclass(frozen=True, slots=True)
class RemoteEndpoint:
    """A running endpoint of another process."""

    url: str
    base_url: str
    key: str
    model: str
    pid: int

    def stats(self, *, calls: bool = False, requests: bool = False) -> dict[str, Any]:
        """Counters; see `Recorder.stats`."""
        wanted = "&".join(name for name, on in (("calls", calls), ("requests", requests)) if on)
        return self._call("GET", f"/_sim/stats?{wanted}")

    def reset(self) -> None:
        """Forgets requests and attempts."""
        self._call("POST", "/_sim/reset")

    def use_faults(self, document: Mapping[str, Any]) -> None:
        """Puts faults in force; the document is that of `Faults.from_json`."""
        self._call("POST", "/_sim/faults", document)

    def _call(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> dict[str, Any]:
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self.url + path, data=body, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)


@contextmanager
def launched(*arguments: str) -> Iterator[RemoteEndpoint]:
    """Runs `python -m tests.endpoints <arguments>` until the block is left.

    Raises RuntimeError with what it printed where it does not start.
    """
    command = [sys.executable, "-m", "tests.endpoints", *arguments]
    with subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        printed = []
        try:
            for line in process.stdout:
                printed.append(line)
                if line.startswith("{"):
                    yield RemoteEndpoint(**json.loads(line), pid=process.pid)
                    return
            raise RuntimeError(f"{' '.join(command)} did not start:\n{''.join(printed)}")
        finally:
            process.terminate()
            process.stdout.close()
