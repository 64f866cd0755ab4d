"""Ten thousand lines of rubbish with good ones between them: a reason each, and nothing is touched outside."""

import json
import random
from pathlib import Path
from typing import Any

from tests.doors.project import endpoint_settings, make_project
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.pictures import Pictures
from tests.endurance.runs import generate
from tests.endurance.soak import Records, about_samples, results_of

LINES = 10_000
ESCAPES = [
    "../../outside",
    "../" * 8 + "etc/passwd",
    "/etc/hostname",
    "a/../../b",
    "..",
    ".",
    "C:\\x",
    "a\\..\\b",
]


def rubbish(dice: random.Random, number: int) -> bytes:
    """A line that holds no usable record."""
    good = {"image_path": "p0000.jpg", "caption": f"Picture {number}"}
    wrong: Any = dice.choice([1, 1.5, True, None, [], {}, [[]], "", " ", float("nan"), float("inf"), -1])
    kinds = [
        lambda: dice.randbytes(dice.randint(1, 200)).replace(b"\n", b"x") + b"\xff",
        lambda: json.dumps(good).encode()[: dice.randint(1, 30)],
        lambda: json.dumps({**good, dice.choice(["image_path", "caption"]): wrong}).encode(),
        lambda: json.dumps({dice.choice(list(good)): "x"}).encode(),
        lambda: json.dumps(
            {**good, "width": dice.choice([float("nan"), "640", -3, 0, 1.5, 1e400, []])}
        ).encode(),
        lambda: json.dumps({**good, "image_id": dice.choice([1.5, [], {}, True])}).encode(),
        lambda: json.dumps({**good, "score": float("nan")}).encode(),
        lambda: json.dumps({**good, "image_path": "p\0.jpg"}).encode(),
        lambda: b'{"image_path": "p0000.jpg", "caption": "half \\ud83d a pair"}',
        lambda: b'{"image_path": "p0000.jpg", "caption": "\xed\xa0\xbd"}',
        lambda: b"[" * dice.randint(101, 3000) + b"]" * 101,
        lambda: b'{"image_path": "p0000.jpg", "caption": "x", "n": ' + b"9" * 5000 + b"}",
        lambda: json.dumps([good]).encode(),
        lambda: b"\0" * dice.randint(1, 50),
        lambda: json.dumps(good).encode("utf-16"),
    ]
    return dice.choice(kinds)().replace(b"\n", b" ").replace(b"\r", b" ")


def listing(folder: Path, *, without: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder with its size and time of change, but for one branch."""
    return {
        str(file): (status.st_size, status.st_mtime_ns)
        for file in folder.rglob("*")
        if without not in (file, *file.parents) and (status := file.lstat())
    }


def test_ten_thousand_lines(tmp_path: Path, pictures: Pictures, calm: Records) -> None:
    dice = random.Random(4)
    traversing = [
        {"image_id": path, "image_path": path, "caption": f"Escape {number}: a red kite."}
        for number, path in enumerate(ESCAPES)
    ]
    good = [*pictures.rows, *traversing]
    lines = [rubbish(dice, number) for number in range(LINES)]
    huge, *places = dice.sample(range(LINES), 1 + len(good))
    lines[huge] = b'{"image_path": "p0000.jpg", "caption": "' + b"x" * (10 << 20) + b'"}'
    # in their order, which ids depend on
    for place, row in zip(sorted(places), good, strict=True):
        lines[place] = json.dumps(row).encode()
    folder = tmp_path / "project"
    with running(SimulatedEndpoint("vllm", gold=pictures.gold)) as endpoint:
        project = make_project(folder, endpoint_settings(endpoint), image_root=pictures.folder)
        (folder / "input.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        outside = listing(tmp_path, without=folder), listing(pictures.folder, without=folder)
        ended = generate(project, "image_grounding.workflow.max_workers=8")
        asked = {r.caption for r in about_samples(endpoint.requests)}
        strange = {r.caption for r in endpoint.requests if r.caption.startswith("Escape")}
    assert (listing(tmp_path, without=folder), listing(pictures.folder, without=folder)) == outside
    inside = {path.relative_to(folder).parts[0] for path in folder.rglob("*")}
    assert inside == {
        "results",
        ".dagster",
        "dagster.yaml",
        "spec.yaml",
        "input.jsonl",
        ".run.stdout",
        ".run.stderr",
    }

    assert ended.code == 1, ended.output
    rejected = project.lines("rejected.jsonl")
    bad = [number + 1 for number, line in enumerate(lines) if number not in places and line.strip()]
    assert [row["line"] for row in rejected] == bad
    assert all(row["reason"] and len(row["text"]) <= 500 for row in rejected)
    assert len({row["reason"].split("(")[0][:25] for row in rejected}) > 15, "reasons that tell lines apart"

    assert asked == {row["caption"] for row in pictures.rows}
    assert strange <= {row["caption"] for row in traversing}
    results = results_of(project)
    kept = {key: row for key, row in results.items() if not key[1].startswith("Escape")}
    assert kept == calm
    failures = {row["caption"]: row["reason"] for row in project.lines("failures.jsonl")}
    assert len(failures) == len(traversing)
    assert set(failures.values()) <= {"image_missing", "image_unreadable"}
