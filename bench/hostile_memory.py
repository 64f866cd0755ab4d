"""The most memory that a run takes at an endpoint, and over pictures, that are made to do harm.

    python -m bench.hostile_memory [--workers 64] [--samples 256] [--only replies|pictures]

All replies but one in six are one of: an endless body, a gzip bomb, nested lists, millions of values, a number of many digits;
every other picture is a bomb: few bytes, hundreds of megapixels. Prints the highest resident memory of the process `auto_label generate`
(VmHWM of Linux), how its samples ended, and exits with 1 where it is over 600 MB.
"""

import argparse
import json
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from tests.doors.project import BIN, Project, make_project
from tests.vlm.raw_server import raw_server

LIMIT_MB = 600


def _repeated(chunk: bytes, times: int, window_bits: int = zlib.MAX_WBITS) -> bytes:
    """Compressed, without ever being there as a whole."""
    compressor = zlib.compressobj(1, wbits=window_bits)
    return b"".join(compressor.compress(chunk) for _ in range(times)) + compressor.flush()


_AS_GZIP = zlib.MAX_WBITS | 16
REPLIES: Mapping[str, tuple[Mapping[str, str], bytes]] = {
    "bomb": ({"Content-Encoding": "gzip"}, _repeated(b" " * (1 << 20), 300, _AS_GZIP)),
    "nested": ({}, b"[" * (20 << 20)),
    "many": ({}, b"[" + b"[]," * 8_000_000 + b"1]"),
    "digits": ({}, b'{"usage": ' + b"9" * (20 << 20) + b"}"),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument(
        "--only", choices=("replies", "pictures"), help="what is hostile; both where left out"
    )
    given = parser.parse_args()
    kinds = ["good"] if given.only == "pictures" else ["good", "endless", *REPLIES]

    def answer(arrived: Any, handler: Any) -> Any:
        kind = kinds[len(server.arrived) % len(kinds)]
        if kind == "endless":
            handler.send_response(200)
            handler.end_headers()
            while True:
                handler.wfile.write(b" " * (1 << 20))
        headers, body = REPLIES.get(kind, ({}, _good()))
        return 200, headers, body

    with tempfile.TemporaryDirectory() as name, raw_server(answer) as server:
        folder = Path(name)
        project = _project(folder, server.url, given.samples, given.only != "replies")
        peak_mb, code, output = _peak(project, given.workers)
        failures = Counter(row["reason"] for row in project.lines("failures.jsonl"))
        done = len(project.lines())
    print(
        f"{peak_mb:.0f} MB at most, {given.workers} workers, exit code {code}: {done} results, failed: {dict(failures)}"
    )
    assert code == 1 and done + failures.total() == given.samples, output
    sys.exit(peak_mb > LIMIT_MB)


def _good() -> bytes:
    text = json.dumps({"cleaned_caption": "Nothing is here.", "expressions": []})
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return json.dumps({"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 9}}).encode()


def _project(folder: Path, url: str, samples: int, bombs: bool) -> Project:
    openai = {"base_url": f"{url}/v1", "model_name": "Qwen/Qwen3-VL-8B-Instruct", "timeout": 600}
    vlm = {"backend": "openai", "measure": False, "openai": openai}
    project = make_project(folder, json.dumps(vlm), image_root=folder)
    Image.new("RGB", (640, 480), "red").save(folder / "good.jpg")
    # just within, and beyond, what is read at all
    for number, side in enumerate((16_000, 60_000)):
        (folder / f"bomb{number}.png").write_bytes(_png_bomb(side))
    Image.new("L", (16_000, 16_000)).save(folder / "bomb2.jpg")
    pictures = ["good.jpg"]
    if bombs:
        pictures = ["good.jpg", "bomb0.png", "good.jpg", "bomb1.png", "good.jpg", "bomb2.jpg"]
    project.write_input(
        {"image_path": pictures[number % len(pictures)], "caption": f"Nothing is here, {number}."}
        for number in range(samples)
    )
    return project


def _png_bomb(side: int) -> bytes:
    """A black square of one bit a pixel."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = _repeated(b"\0" * (1 + side // 8), side)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _peak(project: Project, workers: int) -> tuple[float, int, str]:
    """(peak in MB, exit code, output) of `auto_label generate`."""
    command = [
        BIN / "auto_label",
        "generate",
        "-e",
        "spec.yaml",
        f"image_grounding.workflow.max_workers={workers}",
    ]
    with (project.folder / "output").open("w+") as output:
        with subprocess.Popen(
            command, cwd=project.folder, env=project.environment, stdout=output, stderr=subprocess.STDOUT
        ) as process:
            peak_kb = 0
            while process.poll() is None:
                peak_kb = max(peak_kb, _high_water_kb(process.pid))
                time.sleep(0.05)
        output.seek(0)
        return peak_kb / 1024, process.returncode, output.read()


def _high_water_kb(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = (line.split() for line in status.splitlines() if line.startswith("VmHWM:"))
    return next((int(line[1]) for line in lines), 0)


if __name__ == "__main__":
    main()
