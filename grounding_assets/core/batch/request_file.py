"""The request file of a job, written line by line until a limit is reached, and the names of its requests."""

import hashlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from grounding_assets.core.annotation.asking import Asker
from grounding_assets.core.annotation.calls import ModelRequest
from grounding_assets.core.batch.job import KEYS, REQUESTS
from grounding_assets.core.errors import RunStopped
from grounding_assets.core.files import stopping_if_unwritable, sync_folder, to_json


class RequestFile:
    """One job under construction, in a folder of its own. Without `job.json` it was never submitted."""

    def __init__(self, batch_folder: Path, max_requests: int, max_bytes: int):
        """Limits of the service, or lower ones."""
        self.id = secrets.token_hex(8)
        self.folder = batch_folder / self.id
        self._max_requests, self._max_bytes = max_requests, max_bytes
        self.requests = self.bytes = self.tokens_in = self.tokens_out = 0
        with stopping_if_unwritable(self.folder):
            self.folder.mkdir(parents=True)
            self._lines: IO[bytes] = (self.folder / REQUESTS).open("xb")
            self._keys: IO[bytes] = (self.folder / KEYS).open("xb")

    def has_room_for(self, size: int) -> bool:
        """Raises RunStopped for a line that no job can hold."""
        if size > self._max_bytes:
            raise RunStopped(
                f"One request has {size:,} bytes, and a batch may have {self._max_bytes:,}: raise "
                "image_grounding.vlm.batch.max_megabytes."
            )
        return self.requests < self._max_requests and self.bytes + size <= self._max_bytes

    def add(self, key: str, asker: Asker, parts: Sequence[bytes], tokens_in: int, tokens_out: int) -> None:
        """Writes one line; tokens are projected."""
        row = {"key": key, "sample_id": asker.sample_id, "step": str(asker.step)}
        with stopping_if_unwritable(self.folder / REQUESTS):
            for part in parts:
                self._lines.write(part)
            # at once, so that runs by ordinary calls leave the sample alone
            self._keys.write(to_json(row) + b"\n")
            self._keys.flush()
        self.requests += 1
        self.bytes += sum(map(len, parts))
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out

    def seal(self) -> None:
        """Makes it durable."""
        with stopping_if_unwritable(self.folder / REQUESTS):
            for stream in (self._lines, self._keys):
                stream.flush()
                os.fsync(stream.fileno())
                stream.close()
            sync_folder(self.folder)
            sync_folder(self.folder.parent)

    def close(self) -> None:
        """Leaves it as it is: never submitted, see `Journal.never_submitted`."""
        for stream in (self._lines, self._keys):
            stream.close()


def request_key(asker: Asker, request: ModelRequest) -> str:
    """The name that a request has in a batch: the same for the same question, whenever it is put.

    32 hexadecimal digits. Of the question, not of its wire form: what an endpoint is learned to refuse changes nothing.
    """
    image = request.image
    parts = [
        asker.sample_id,
        asker.step,
        asker.order_id,
        request.instructions,
        image.sha256,
        list(image.sent_size),
        request.text,
        request.schema,
        request.max_tokens,
        request.temperature,
        dict(request.extra),
    ]
    return hashlib.sha256(to_json(parts)).hexdigest()[:32]


def remove_job_files(folder: Path) -> None:
    """Removes a job's folder with all that lies in it."""
    for file in folder.iterdir():
        file.unlink(missing_ok=True)
    folder.rmdir()
