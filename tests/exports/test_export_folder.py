"""The folder of an export: shared with other exports, killed, full; what was there before is whole until the end."""

import ctypes
import errno
import fcntl
import json
import os
import platform
import re
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random

import pytest

from grounding_assets.core.errors import InputError, RunStopped
from grounding_assets.core.exports import export
from grounding_assets.core.files import locked, read_lines
from tests.exports.folders import FORMATS, folder_content
from tests.exports.record_strategies import one_record
from tests.forked import PATIENCE_S, process

KILLED = """
import os, signal, sys
from pathlib import Path
from random import Random
from grounding_assets.core.exports import export
from tests.exports.record_strategies import one_record
def rows():
    for n in range(600):
        yield one_record(image_path=f"{n}.jpg")
    os.kill(os.getpid(), signal.SIGKILL)
for fmt in sys.argv[2:]:
    child = os.fork()
    if not child:
        export(rows(), Path(sys.argv[1], fmt), fmt)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> dict[str, tuple[Path, dict[str, bytes]]]:
    """By format: a folder whose second export was killed, and what the first one had left there."""
    folder = tmp_path_factory.mktemp("killed")
    for fmt in FORMATS:
        export([one_record()], folder / fmt, fmt)
    before = {fmt: (folder / fmt, folder_content(folder / fmt)) for fmt in FORMATS}
    command = [sys.executable, "-c", KILLED, str(folder), *FORMATS]
    run = subprocess.run(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": "."}, check=True)
    assert [int(code) for code in run.stdout.split()] == [-signal.SIGKILL] * len(FORMATS)
    return before


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_killed_export_leaves_the_earlier_one_and_can_be_done_again(killed, fmt):
    folder, before = killed[fmt]
    after = folder_content(folder)
    assert {name: after[name] for name in before} == before
    assert all(name in before or name.startswith(".export-") for name in after)
    report = export([one_record()] * 2, folder, fmt)
    assert report.splits["train"].samples == 2
    assert {path.name for path in folder.iterdir()} == set(report.files), "nothing of the killed one stays"


@pytest.mark.parametrize("fmt", FORMATS)
def test_an_export_waits_for_another_of_its_folder(tmp_path, fmt):
    out = tmp_path / "out"
    later = threading.Thread(target=lambda: export([one_record()] * 2, out, fmt))

    def rows():
        later.start()
        yield one_record()

    first = export(rows(), out, fmt)
    later.join(60)
    manifest = json.loads((out / "export.json").read_bytes())
    assert (first.splits["train"].samples, manifest["splits"]["train"]["samples"]) == (1, 2)
    assert {path.name for path in out.iterdir()} == set(manifest["files"])


def test_an_export_survives_one_that_fails_and_takes_the_folder_away(tmp_path):
    out, is_held = tmp_path / "out", []

    def of_later():
        descriptor = os.open(out, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            is_held.append(True)
        finally:
            os.close(descriptor)
        yield one_record()

    later = threading.Thread(target=lambda: export(of_later(), out, "odvg"))

    def rows():
        later.start()
        deadline = time.monotonic() + PATIENCE_S
        while not re.search(rf"-> FLOCK .* {os.getpid()} ", Path("/proc/locks").read_text()):
            assert time.monotonic() < deadline and later.is_alive()
            time.sleep(0.002)
        yield one_record(width=100)

    with pytest.raises(InputError, match="line 1"):
        export(rows(), out, "odvg")
    later.join(PATIENCE_S)
    assert len((out / "train.jsonl").read_text().splitlines()) == 1
    assert is_held, "the next export has to wait for this one"


def _export_without_locks(folder: Path) -> None:
    """In a process to which the system refuses flock(2), as it does on some network file systems."""
    number = {"x86_64": 73, "aarch64": 32}[platform.machine()]
    # seccomp(2): load the call's number; if it is flock's, ENOLCK; anything else is allowed
    program = (
        (0x20, 0, 0, 0),
        (0x15, 0, 1, number),
        (0x06, 0, 0, 0x50000 | errno.ENOLCK),
        (0x06, 0, 0, 0x7FFF0000),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((38, 1, 0, 0, 0), (22, 2, head, 0, 0)):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), "prctl")
    with pytest.raises(OSError, match="No locks available"), locked(folder):
        pass
    export([one_record()], folder, "odvg")


def test_an_export_goes_on_where_there_are_no_locks(tmp_path):
    # nobody knows whether this is a killed export's
    other = tmp_path / ".export-other" / "new"
    other.mkdir(parents=True)
    exporting = process(_export_without_locks, tmp_path)
    exporting.join(PATIENCE_S)
    assert exporting.exitcode == 0
    assert len((tmp_path / "train.jsonl").read_text().splitlines()) == 1 and other.is_dir()
    export([one_record()], tmp_path, "odvg")
    assert not other.exists()


def test_annotations_that_cannot_be_read_are_no_full_disk(tmp_path):
    # opens and then gives EIO, as a damaged disk does
    with pytest.raises(InputError, match="Cannot read /proc/self/mem: Input/output error"):
        export(read_lines(Path("/proc/self/mem")), tmp_path / "out", "odvg")


@pytest.mark.parametrize("fmt", FORMATS)
def test_what_cannot_be_written_is_said_and_leaves_the_earlier_export(tmp_path, fmt):
    export([one_record()], tmp_path, fmt)
    before = folder_content(tmp_path)
    plain = one_record()
    many = (
        {
            **plain,
            "image_path": f"{number}.jpg",
            "cleaned_caption": f"{plain['cleaned_caption']} {Random(number).randbytes(12_000).hex()}",
        }
        for number in range(300)
    )
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, allowed[1]))
    try:
        with pytest.raises(RunStopped, match=f"Cannot write {re.escape(str(tmp_path))}: .*make room"):
            export(many, tmp_path, fmt)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    assert folder_content(tmp_path) == before
