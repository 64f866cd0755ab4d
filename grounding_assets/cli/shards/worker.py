"""A process that takes the shards it is told: `python -m grounding_assets.cli.shards.worker`, started by `processes`.

On standard input it gets a line of JSON with the command's own arguments, which may hold keys and so stand on no command line,
then the key of a shard a line. On standard output it tells what it does, a JSON object a line. When the input ends before it was told
to stop, whoever started it is gone, and it stops as after SIGTERM.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from grounding_assets.cli.instance import persistent_instance
from grounding_assets.cli.interruption import ending_on_signals
from grounding_assets.cli.shards.work import ShardWork
from grounding_assets.core.errors import EXIT_OK, GroundingError
from grounding_assets.core.files import to_json
from grounding_assets.core.spec.loading import load_spec
from resources.credentials import Credentials
from resources.dataset import DataSet
from resources.shards import manifest_of

STOP = "stop"


class _Telling:
    """A `work.Watcher` that passes on which of its methods was called, and with what."""

    def __init__(self, out: IO[bytes]):
        self._out = out

    def tell(self, **message: Any) -> None:
        self._out.write(to_json(message) + b"\n")
        self._out.flush()

    def notice(self, text: str) -> None:
        self.tell(notice=[text])

    def update(self, key: str, counts: Sequence[int]) -> None:
        self.tell(update=[key, counts])

    def ended(self, key: str, complete: int = 0) -> None:
        self.tell(ended=[key, complete])


def main() -> int:
    """Returns the exit code of what stopped it; 0 if it was told to stop."""
    telling = _Telling(_own_output())
    orders: SimpleQueue[str] = SimpleQueue()
    arguments = json.loads(sys.stdin.readline())
    threading.Thread(target=_listen, args=(orders,), name="orders", daemon=True).start()
    try:
        with ending_on_signals():
            spec = load_spec(Path(arguments["spec_file"]), arguments["overrides"], stored_shard=True)
            dataset = DataSet(spec, Credentials.of(spec))
            with persistent_instance() as instance:
                work = ShardWork(dataset, manifest_of(spec), instance, telling)
                while (key := orders.get()) != STOP:
                    telling.tell(**({"took": key} if work.take(key) else {"taken": key}))
    except GroundingError as error:
        telling.tell(stopped=str(error))
        return error.exit_code
    return EXIT_OK


def _own_output() -> IO[bytes]:
    """Standard output for messages alone: what anybody prints goes to standard error."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return out


def _listen(orders: "SimpleQueue[str]") -> None:
    for line in sys.stdin:
        orders.put(line.strip())
        if line.strip() == STOP:
            return
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
