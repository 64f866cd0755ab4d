"""`auto_label generate` with input, pictures and gold in object storage; without, it loads nothing of all that."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.corpus import PROJECT
from tests.doors.project import Project, make_project
from tests.storage.servers import KEYS, S3Server

BUCKET = "s3://generated"
PICTURES = PROJECT / "demo" / "images"
IN_STORAGE = (f"data.input_jsonl={BUCKET}/in.jsonl", f"data.image_root={BUCKET}/photos")

NOT_LOADED = (
    "s3fs",
    "gcsfs",
    "botocore",
    "aiobotocore",
    "dagster_postgres",
    "psycopg2",
    "dagster_k8s",
    "kubernetes",
)


def row(image_path: str) -> dict[str, Any]:
    return {"image_path": image_path, "caption": "a cup on a table"}


def as_jsonl(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in rows)


def picture(name: str) -> bytes:
    return (PICTURES / name).read_bytes()


def reasons(project: Project) -> dict[str, str]:
    return {one["image_path"]: one["reason"] for one in project.lines("failures.jsonl")}


def requests_for(name: str, caplog: pytest.LogCaptureFixture) -> list[str]:
    """The methods of the requests for an object since the last time, in moto's log."""
    found = [message for message in caplog.messages if f"/{name} HTTP" in message]
    caplog.clear()
    return [method for message in found for method in ("GET", "HEAD") if f"{method} /" in message]


def test_a_run_from_storage_and_what_the_next_one_notices(
    tmp_path: Path, s3: S3Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="werkzeug")
    project = make_project(tmp_path, "{backend: local}")
    rows = [row("coffee.jpg"), row(f"{BUCKET}/photos/chelsea.jpg"), row("none.jpg"), row("words.jpg")]
    rows += [row("../in.jsonl"), row("http://169.254.169.254/x.jpg")]
    s3.put({f"{BUCKET}/photos/{name}": picture(name) for name in ("coffee.jpg", "chelsea.jpg")})
    s3.put({f"{BUCKET}/photos/words.jpg": b"no picture", f"{BUCKET}/in.jsonl": as_jsonl(rows)})
    caplog.clear()
    first = project.generate(*IN_STORAGE)
    assert first.returncode == 1, first.stdout + first.stderr
    assert [one["image_path"] for one in project.lines()] == ["coffee.jpg", f"{BUCKET}/photos/chelsea.jpg"]
    assert reasons(project) == {
        "none.jpg": "image_missing",
        "words.jpg": "image_unreadable",
        "../in.jsonl": "image_missing",
        "http://169.254.169.254/x.jpg": "image_missing",
    }
    # looked at before the run, read once for both steps, shown on the contact sheet and in the report
    methods = requests_for("coffee.jpg", caplog)
    assert set(methods) == {"GET"} and len(methods) <= 5, methods
    s3.put(
        {
            f"{BUCKET}/photos/coffee.jpg": picture("camera.jpg"),
            f"{BUCKET}/photos/none.jpg": picture("coffee.jpg"),
        }
    )
    s3.put({f"{BUCKET}/in.jsonl": as_jsonl([*rows[:3], row("photo-2.jpg")])})
    caplog.clear()
    second = project.generate(*IN_STORAGE)
    assert "The image files of 1 samples were replaced" in second.stdout + second.stderr
    assert [one["image_path"] for one in project.lines()] == [
        "coffee.jpg",
        f"{BUCKET}/photos/chelsea.jpg",
        "none.jpg",
    ]
    assert reasons(project) == {"photo-2.jpg": "image_missing"}
    # an unchanged picture of a result costs one small request
    assert requests_for("chelsea.jpg", caplog).count("HEAD") == 1
    assert_no_secrets(project.folder)


def test_what_is_not_there_is_said_at_once(tmp_path: Path, s3: S3Server) -> None:
    s3.put({f"{BUCKET}-2/other": b""})
    project = make_project(tmp_path, "{backend: local}")
    run = project.generate(f"data.input_jsonl={BUCKET}-2/in.jsonl")
    assert run.returncode == 2 and f"There is no {BUCKET}-2/in.jsonl." in run.stderr
    run = project.generate(f"data.input_jsonl=s3://me:hunter2@{BUCKET[5:]}/in.jsonl")
    assert run.returncode == 2 and "credentials do not belong into an address" in run.stderr
    assert "hunter2" not in run.stdout + run.stderr


def test_a_run_on_one_machine_loads_none_of_it(tmp_path: Path) -> None:
    project = make_project(tmp_path, "{backend: local}", image_root=PROJECT / "demo" / "images")
    project.write_input([{"image_path": "coffee.jpg", "caption": "a cup on a table"}])
    program = (
        "import sys\n"
        "from grounding_assets.cli import main\n"
        "code = main(['generate', '-e', 'spec.yaml'])\n"
        f"print('loaded:', code, [name for name in {NOT_LOADED!r} if name in sys.modules])\n"
    )
    run = project.run(str(Path(sys.executable).name), "-c", program)
    assert isinstance(run, subprocess.CompletedProcess) and "loaded: 0 []" in run.stdout, (
        run.stdout + run.stderr
    )


def assert_no_secrets(folder: Path) -> None:
    """In no file: results, events, stored run configurations, logs."""
    secret = KEYS["AWS_SECRET_ACCESS_KEY"].encode()
    assert [file for file in folder.rglob("*") if file.is_file() and secret in file.read_bytes()] == []
