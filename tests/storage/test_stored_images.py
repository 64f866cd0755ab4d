"""Pictures in object storage: which a line may name, how they are read, and what becomes of a run while they are away."""

import asyncio
import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from grounding_assets.core.annotation.image_reading import ImageReading
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import Reason, SampleFailure, StorageUnavailable
from grounding_assets.core.images import image_file
from grounding_assets.core.images.image_file import read_image_bytes
from grounding_assets.core.images.locations import ImageLocation
from resources.object_storage import StorageRefusal
from resources.stored_images import ImageFolder
from tests.core.annotating import annotator, everything, within
from tests.core.workspaces import Outcomes, RuleTeacher, open_workspace, picture_rows, write_input
from tests.storage.servers import S3Server, answering, use

ANY_BUCKET = ("s3://", "gs://")
NAMED: dict[str, tuple[str, str, tuple[str, ...], str]] = {
    "below the root": ("s3://photos/set", "a/1.jpg", (), "s3://photos/set/a/1.jpg"),
    "below the root, with a slash": ("s3://photos/set/", "a/1.jpg", (), "s3://photos/set/a/1.jpg"),
    "dot and slash": ("s3://photos", "./1.jpg", (), "s3://photos/1.jpg"),
    "a path of this machine": ("s3://photos", "/data/1.jpg", (), "/data/1.jpg"),
    "the root's own address": ("s3://photos/set", "s3://photos/set/1.jpg", (), "s3://photos/set/1.jpg"),
    "any bucket": ("/data", "S3://others/1.jpg", ANY_BUCKET, "s3://others/1.jpg"),
    "one bucket": ("/data", "s3://others/1.jpg", ("s3://others",), "s3://others/1.jpg"),
    "a name with a question mark": ("s3://photos", "why?.jpg", (), "s3://photos/why?.jpg"),
}
REFUSED: dict[str, tuple[str, str, tuple[str, ...], str]] = {
    "outside of the root": (
        "s3://photos/set",
        "s3://photos/other/1.jpg",
        (),
        "image_grounding.data.image_sources",
    ),
    "beside the root": (
        "s3://photos/set",
        "s3://photos/set-2/1.jpg",
        (),
        "image_grounding.data.image_sources",
    ),
    "a bucket with the same beginning": ("", "s3://others-2/1.jpg", ("s3://others",), "image_sources"),
    "a version": ("s3://photos/set", "1?versionId=2.jpg", ANY_BUCKET, "versions are not read"),
    "out of the root": ("s3://photos/set", "../1.jpg", ANY_BUCKET, "leads out of its folder by '..'"),
    "a host": ("s3://photos", "http://169.254.169.254/latest/meta-data", ANY_BUCKET, "copy the image"),
    "a signed address": (
        "",
        "https://photos.example/1.jpg?X-Amz-Signature=hunter2",
        ANY_BUCKET,
        "copy the image",
    ),
    "credentials": (
        "",
        "s3://me:hunter2@photos/1.jpg",
        ANY_BUCKET,
        "credentials do not belong into an address",
    ),
    "file://": ("", "file:///etc/passwd", ANY_BUCKET, "give the path itself"),
    "a library that is not installed": ("", "abfs://photos/1.jpg", ("abfs://",), "is not installed"),
    "another file system": ("", "github://owner:name@/1.jpg", ANY_BUCKET, "is not read"),
}


@pytest.mark.parametrize("case", NAMED.values(), ids=NAMED)
def test_a_line_names_a_picture(case: tuple[str, str, tuple[str, ...], str], s3: S3Server) -> None:
    root, image_path, sources, expected = case
    assert str(ImageFolder(root, sources) / image_path) == expected


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_line_chooses_no_host(case: tuple[str, str, tuple[str, ...], str], s3: S3Server) -> None:
    root, image_path, sources, words = case
    failure = failure_of(ImageFolder(root, sources) / image_path)
    assert failure.reason is Reason.IMAGE_MISSING and words in str(failure) and "hunter2" not in str(failure)


def failure_of(image: ImageLocation) -> SampleFailure:
    with pytest.raises(SampleFailure) as caught:
        read_image_bytes(image)
    return caught.value


def test_what_is_wrong_with_a_picture_is_told_apart(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put({"s3://told/a.jpg": b"abc", "s3://told/empty.jpg": b""})
    folder, nobody = ImageFolder("s3://told", ()), s3.key_without_permissions()
    assert read_image_bytes(folder / "a.jpg") == b"abc"
    assert failure_of(folder / "b.jpg").reason is Reason.IMAGE_MISSING
    empty = failure_of(folder / "empty.jpg")
    assert empty.reason is Reason.IMAGE_UNREADABLE and "is empty" in str(empty)
    with s3.asking_for_permission():
        use(nobody, monkeypatch)
        forbidden = failure_of(ImageFolder("s3://told", ()) / "a.jpg")
    assert forbidden.reason is Reason.IMAGE_FORBIDDEN and "AWS_ACCESS_KEY_ID" in str(forbidden)


def test_one_line_in_a_storage_without_credentials_stops_no_run(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    use({"AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_CONFIG_FILE": "/dev/null"}, monkeypatch)
    failure = failure_of(ImageFolder("/data", ANY_BUCKET) / "s3://others/1.jpg")
    assert failure.reason is Reason.IMAGE_FORBIDDEN and "no credentials" in str(failure)
    with pytest.raises(StorageRefusal, match="no credentials"):
        read_image_bytes(ImageFolder("s3://photos", ()) / "1.jpg")


def test_a_large_object_is_refused_by_its_size_and_a_photo_is_one_request(
    s3: S3Server, caplog: pytest.LogCaptureFixture
) -> None:
    size = image_file.MAX_FILE_BYTES + 1
    s3.put({"s3://large/photo.jpg": b"x" * 200_000, "s3://large/whole.tif": b"y" * (17 << 20)})
    s3.put({"s3://large/huge.tif": bytes(size)})
    folder = ImageFolder("s3://large", ())
    caplog.clear()
    assert len(read_image_bytes(folder / "photo.jpg")) == 200_000
    assert sum("photo.jpg" in message for message in caplog.messages) == 1
    assert read_image_bytes(folder / "whole.tif") == b"y" * (17 << 20)
    assert failure_of(folder / "huge.tif").reason is Reason.IMAGE_TOO_LARGE


def test_a_stamp_costs_no_request_of_its_own_and_tells_a_replaced_picture(s3: S3Server) -> None:
    s3.put({"s3://stamps/a.jpg": b"first"})
    image = ImageFolder("s3://stamps", ()) / "a.jpg"
    assert not isinstance(image, Path)
    image.read(100)
    assert image.read_stamp == image.stored_stamp() > 1
    s3.put({"s3://stamps/a.jpg": b"other"})
    assert image.read_stamp != image.stored_stamp() > 1
    assert (ImageFolder("s3://stamps", ()) / "none.jpg").stored_stamp() == 0  # type: ignore[union-attr]


def in_storage(folder: Path, address: str) -> Workspace:
    """A data set of two samples whose pictures lie at an address."""
    write_input(folder / "input.jsonl", picture_rows(folder, 2))
    workspace = open_workspace(folder)
    workspace.image_root = ImageFolder(address, ())
    return workspace


def test_pictures_that_cannot_be_reached_are_not_called_damaged(
    tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(503) as url:
        use({"AWS_ENDPOINT_URL": url}, monkeypatch)
        workspace, outcomes = in_storage(tmp_path, "s3://away"), Outcomes()
        with pytest.raises(StorageUnavailable, match="does not answer"):
            within(60, annotator(workspace, RuleTeacher(), outcomes).run(everything(workspace)))
    assert len(list(everything(workspace))) == 2
    assert not list((tmp_path / "results").rglob(".failed/*"))


@pytest.mark.parametrize(
    ("answered_before", "absences", "patience_s", "ends_well"),
    [(True, 3, 3600, True), (True, 3, 0, False), (False, 1, 3600, False)],
    ids=["waits", "has no patience", "never worked"],
)
def test_a_run_waits_for_storage_that_has_answered(
    answered_before: bool, absences: int, patience_s: float, ends_well: bool, tmp_path: Path, s3: S3Server
) -> None:
    s3.put({f"s3://waits/{n:04d}.png": b"a picture" for n in range(2)})
    workspace, told = in_storage(tmp_path, "s3://waits"), list[str]()
    reading = ImageReading(workspace, 2, patience_s, told.append, first_pause_s=0.001)
    picture = workspace.image_file(workspace.samples.read(workspace.samples.ids[0]))

    async def run() -> bytes:
        if answered_before:
            await reading.read(read_image_bytes, picture)
        return await reading.read(absent_at_first(absences), picture)

    try:
        if ends_well:
            assert within(60, run()) == b"a picture" and len(told) == 1
        else:
            with pytest.raises(StorageUnavailable):
                within(60, run())
    finally:
        reading.close()


def absent_at_first(times: int) -> Callable[[ImageLocation], bytes]:
    """Reads a picture as if the storage had been away the first few times."""
    left = iter(range(times))

    def read(image: ImageLocation) -> bytes:
        if next(left, None) is not None:
            raise StorageUnavailable("away")
        return read_image_bytes(image)

    return read


def test_samples_are_annotated_from_storage_as_from_the_disk(tmp_path: Path, s3: S3Server) -> None:
    workspace = in_storage(tmp_path, "s3://annotated")
    s3.put({f"s3://annotated/{n:04d}.png": (tmp_path / f"{n:04d}.png").read_bytes() for n in range(2)})
    asyncio.run(annotator(workspace, RuleTeacher(), Outcomes()).run(everything(workspace)))
    made = workspace.groundings.store.load(workspace.samples.ids[0])
    assert made is not None
    assert made.provenance["image_sha256"] == hashlib.sha256((tmp_path / "0000.png").read_bytes()).hexdigest()
    picture = workspace.image_file(workspace.samples.read(workspace.samples.ids[0]))
    assert not isinstance(picture, Path) and made.image_stamp == picture.stored_stamp()
    with Image.open(io.BytesIO(read_image_bytes(picture))) as opened:
        assert opened.size == made.image_size
