"""Shards in object storage: a run brings a shard to a folder of its own, and pushes what it makes in segments.

shards.json                        what is cut
shards/00042/input.jsonl           the slice
shards/00042/segments/             results, see `segments`
shards/00042/claims/               who works on it, see `shard_claims`
shards/00042/{annotations,failures}.jsonl, shard.json
grants/                            the budget, see `core.budget.grants`
endpoint.json                      what was measured about the endpoint
"""

import io
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import IO

from grounding_assets.core.files import stopping_if_unwritable
from grounding_assets.core.shards.joining import JOINED
from grounding_assets.core.shards.manifest import MANIFEST, Manifest, part_of
from grounding_assets.core.shards.place import ShardTaken
from grounding_assets.core.shards.status import STATUS, ShardStatus
from grounding_assets.core.spec.paths import shown_address
from grounding_assets.core.spec.shards import FOLDER, SLICE
from resources.object_storage import filesystem_of, patiently, require_exclusive_create
from resources.segments import Pushing, Segments
from resources.shard_claims import StoredClaim
from resources.stored_folder import StoredFolder
from resources.vlm.measurements import FILE as MEASURED
from resources.vlm.measurements import merged

_CUTTING = "cutting"
_LEAST_PART = 5 << 20
"""S3 joins parts on the server if each but the last has so many bytes."""
_MOST_PARTS = 10_000
_BLOCK = 16 << 20


class StoredShards(StoredFolder):
    """See `core.shards.place.Shards`."""

    looks_again = False

    def __init__(self, address: str, run_id: str, is_over: Callable[[str], bool]):
        """`run_id` names whoever claims shards; `is_over`: whether a run is known to have ended."""
        super().__init__(*filesystem_of(address.rstrip("/")), shown_address(address.rstrip("/")))
        self.where = self.address
        self._run_id, self._is_over = run_id, is_over
        self._claim: StoredClaim | None = None
        self._looks: dict[str, StoredClaim] = {}
        self.grants = self.below("grants")

    def manifest(self) -> Manifest | None:
        content = self.read(MANIFEST)
        return None if content is None else Manifest.of_bytes(content, f"{self.where}/{MANIFEST}")

    def keep(self, manifest: Manifest) -> None:
        self.write(MANIFEST, manifest.to_bytes())

    def is_whole_data_set(self) -> bool:
        return False

    @contextmanager
    def cutting(self) -> Iterator[None]:
        require_exclusive_create(self.store, self.path, self.address)
        while True:
            try:
                with self._claim_of(_CUTTING):
                    yield
                return
            except ShardTaken:
                time.sleep(1.0)

    def reading(self, name: str) -> AbstractContextManager[IO[bytes]] | None:
        content = self.read(name)
        return None if content is None else io.BytesIO(content)

    def is_as_written(self, name: str, size: int, written_ns: int, sha256: str) -> bool:
        # an object's own time is that of its upload
        return self.size(name) == size

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        # whole before it is sent: an upload that is broken off would leave a part under the name
        with NamedTemporaryFile() as content:
            yield content
            content.flush()
            self.put(Path(content.name), name)

    def join(self, name: str, parts: Sequence[str]) -> None:
        sizes = {part: size for part in parts if (size := self.size(part))}
        if not sizes:
            self.write(name, b"")
            return
        large = all(size >= _LEAST_PART for size in [*sizes.values()][:-1])
        if large and len(sizes) <= _MOST_PARTS and hasattr(self.store, "merge"):
            patiently(self.address, lambda: self.store.merge(self.path_of(name), [*map(self.path_of, sizes)]))
            return
        patiently(self.address, lambda: self._join_here(name, [*sizes]))

    def _join_here(self, name: str, parts: Sequence[str]) -> None:
        whole = self.store.open(self.path_of(name), "wb", block_size=_BLOCK)
        try:
            for part in parts:
                with self.store.open(self.path_of(part), "rb", block_size=_BLOCK) as stream:
                    shutil.copyfileobj(stream, whole, _BLOCK)
        except BaseException:
            # closing would put what there is under the name
            whole.discard()
            whole.closed = True
            raise
        whole.close()

    def is_held(self, key: str) -> bool:
        if key not in self._looks:
            self._looks[key] = self._claim_of(key)
        return self._looks[key].is_held()

    @contextmanager
    def claimed(self, key: str) -> Iterator[None]:
        with self._claim_of(key) as claim:
            self._claim = claim
            try:
                yield
            finally:
                self._claim = None

    @contextmanager
    def opened(self, key: str) -> Iterator[Path]:
        """In a claim, what is made is pushed; without one it is only to be read."""
        claim = self._claim
        with TemporaryDirectory(prefix=f"shard-{key}-") as root:
            results = Path(root) / FOLDER / key
            results.mkdir(parents=True)
            for name in (MANIFEST, MEASURED, part_of(key, SLICE), part_of(key, STATUS)):
                content = self.read(name)
                if content is not None:
                    with stopping_if_unwritable(Path(root) / name):
                        (Path(root) / name).write_bytes(content)
            generation = claim.generation if claim else 0
            segments = Segments(self.below(part_of(key, "segments")), results, generation)
            segments.pull()
            if claim is None:
                yield results
                return
            yield from self._kept(claim, segments, key, results)

    def _kept(self, claim: StoredClaim, segments: Segments, key: str, results: Path) -> Iterator[Path]:
        def push() -> None:
            claim.make_sure()
            segments.push()

        measured = results.parent.parent / MEASURED
        before = measured.read_bytes() if measured.is_file() else b""
        if _is_complete(results / STATUS):
            # only what changes it opens a complete shard; however that is cut off, nobody is to believe it then
            self.remove(part_of(key, STATUS))
        pushing = Pushing(push, self.address)
        try:
            with pushing:
                yield results
        finally:
            patiently(self.address, push)
            if measured.is_file() and measured.read_bytes() != before:
                self.write(MEASURED, merged(measured.read_bytes(), self.read(MEASURED) or b""))
            if pushing.trouble is not None:
                # whatever else ended the block came of its signal
                raise pushing.trouble
        claim.make_sure(asks=True)
        segments.compact()
        if not (results / STATUS).is_file():
            # results were changed beside it: the next run looks at them
            claim.make_sure(asks=True)
            self.remove(part_of(key, STATUS))
        # the status is last: it says that the other two are there
        for name in (*JOINED, STATUS):
            if (results / name).is_file():
                claim.make_sure(asks=True)
                self.put(results / name, part_of(key, name))

    def _claim_of(self, key: str) -> StoredClaim:
        return StoredClaim(self.below(part_of(key, "claims")), key, self._run_id, self._is_over)


def _is_complete(file: Path) -> bool:
    status = ShardStatus.of_bytes(file.read_bytes()) if file.is_file() else None
    return status is not None and status.is_complete
