"""What the storage's errors become, with the real s3fs against moto's S3 server and against servers that fail."""

import socket
import subprocess
import sys

import pytest

from grounding_assets.core.errors import GroundingError, SpecError, StorageUnavailable
from resources.object_storage import (
    ObjectError,
    ObjectForbidden,
    StorageRefusal,
    create_exclusively,
    filesystem_of,
    host_of,
    patiently,
    require_exclusive_create,
    storage_errors,
)
from tests.storage.servers import KEYS, S3Server, answering, losing_first_answers, use

SECRETS = tuple(value for name, value in KEYS.items() if name != "AWS_DEFAULT_REGION")


def read(address: str) -> bytes:
    store, path = filesystem_of(address)
    with storage_errors(address):
        content = store.cat_file(path, start=0)
    assert isinstance(content, bytes)
    return content


def trouble(address: str) -> GroundingError:
    with pytest.raises(GroundingError) as caught:
        read(address)
    assert not any(secret in str(caught.value) for secret in SECRETS)
    return caught.value


def test_an_object_is_read_and_a_missing_one_is_missing(s3: S3Server) -> None:
    s3.put({"s3://read/a.txt": b"content"})
    assert read("s3://read/a.txt") == b"content"
    for address in ("s3://read/b.txt", "s3://no-such-bucket/a.txt"):
        with pytest.raises(FileNotFoundError):
            read(address)


def test_a_file_is_created_once(s3: S3Server) -> None:
    s3.put({"s3://claims/other": b""})
    store, folder = filesystem_of("s3://claims/shards")
    create_exclusively(store, f"{folder}/claim", b"first")
    with pytest.raises(FileExistsError):
        create_exclusively(store, f"{folder}/claim", b"second")
    assert store.cat_file(f"{folder}/claim") == b"first"


def test_the_probe_of_exclusive_create_leaves_nothing(s3: S3Server) -> None:
    s3.put({"s3://probed/other": b""})
    store, folder = filesystem_of("s3://probed/results")
    require_exclusive_create(store, folder, "s3://probed/results")
    assert store.find("probed") == ["probed/other"]


def test_a_storage_that_overwrites_is_refused(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(200) as url:
        use({"AWS_ENDPOINT_URL": url}, monkeypatch)
        store, folder = filesystem_of("s3://bucket/results")
        with pytest.raises(StorageRefusal, match="conditional writes"):
            require_exclusive_create(store, folder, "s3://bucket/results")


def test_a_bucket_that_is_not_there_is_named_and_not_made(s3: S3Server) -> None:
    store, folder = filesystem_of("s3://mistyped/results")
    with pytest.raises(StorageRefusal, match="no bucket for s3://mistyped/results in 127"):
        require_exclusive_create(store, folder, "s3://mistyped/results")
    assert not store.exists("mistyped")


def test_a_created_file_whose_answer_is_lost_is_one_s_own(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put({"s3://lost/other": b""})
    with losing_first_answers(s3) as url:
        use({"AWS_ENDPOINT_URL": url}, monkeypatch)
        store, folder = filesystem_of("s3://lost/results")
        require_exclusive_create(store, folder, "s3://lost/results")
        create_exclusively(store, f"{folder}/claim", b"mine")
        with pytest.raises(FileExistsError):
            create_exclusively(store, f"{folder}/claim", b"another's")
    assert s3.filesystem().cat_file("lost/results/claim") == b"mine"


def test_an_endpoint_without_a_scheme_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    use({"AWS_ENDPOINT_URL": "name:secret@storage:9000"}, monkeypatch)
    with pytest.raises(SpecError, match=r"write http:// or https:// before storage:9000\."):
        filesystem_of("s3://bucket/results")


@pytest.mark.parametrize("has_answered", [True, False])
def test_storage_that_has_answered_is_asked_again(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, has_answered: bool
) -> None:
    use({"AWS_ENDPOINT_URL": f"http://storage-{has_answered}"}, monkeypatch)
    answers = iter([b"first"] * has_answered + [ConnectionResetError("away"), b"second"])

    def ask() -> bytes:
        if isinstance(answer := next(answers), Exception):
            raise answer
        return answer

    if has_answered:
        assert patiently("s3://bucket/a", ask) == b"first"
        assert patiently("s3://bucket/a", ask) == b"second"
    else:
        with pytest.raises(StorageUnavailable):
            patiently("s3://bucket/a", ask)


def test_wrong_credentials_concern_all_objects_and_a_permission_one(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put({"s3://guarded/a.txt": b"content"})
    allowed_nothing = s3.key_without_permissions()
    with s3.asking_for_permission():
        wrong = trouble("s3://guarded/a.txt")
        use(allowed_nothing, monkeypatch)
        forbidden = trouble("s3://guarded/a.txt")
    assert isinstance(wrong, StorageRefusal) and "InvalidAccessKeyId" in str(wrong)
    assert isinstance(forbidden, ObjectForbidden) and "No permission for s3://guarded/a.txt" in str(forbidden)
    assert all("AWS_ACCESS_KEY_ID" in str(error) for error in (wrong, forbidden))


def test_no_credentials_are_no_permission_problem(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    use({"AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_CONFIG_FILE": "/dev/null"}, monkeypatch)
    assert "there are no credentials" in str(trouble("s3://any/a.txt"))


@pytest.mark.parametrize("kind", ["refuses connections", "says 503", "says 500"])
def test_a_storage_that_is_away_is_unavailable(
    kind: str, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "refuses connections":
        with socket.socket() as bound:  # it does not listen
            bound.bind(("127.0.0.1", 0))
            use({"AWS_ENDPOINT_URL": f"http://127.0.0.1:{bound.getsockname()[1]}"}, monkeypatch)
            error = trouble("s3://away/a.jpg")
    else:
        with answering(int(kind[-3:])) as url:
            use({"AWS_ENDPOINT_URL": url}, monkeypatch)
            error = trouble("s3://away/a.jpg")
    assert isinstance(error, StorageUnavailable) and "127.0.0.1:" in str(error), error


def test_a_host_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:hunter2@storage.example:9000/")
    assert host_of("s3://bucket/a.jpg") == "storage.example:9000"


def test_a_name_that_no_bucket_can_have_is_the_objects_own_trouble(s3: S3Server) -> None:
    assert isinstance(trouble("s3://no bucket!/a.jpg"), ObjectError)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(403, ObjectForbidden), (401, StorageRefusal), (429, StorageUnavailable), (503, StorageUnavailable)],
)
def test_errors_as_gcsfs_words_them(status: int, kind: type[GroundingError]) -> None:
    from gcsfs.retry import validate_response

    with pytest.raises(kind), storage_errors("gs://b/a.jpg"):
        validate_response(status, b'{"error": {"message": "words of the storage"}}', "b/a.jpg")


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(SpecError, match="no file system is known for nfs42://"):
        filesystem_of("nfs42://server/x")


@pytest.mark.parametrize(("scheme", "library", "extra"), [("s3", "s3fs", "s3"), ("gs", "gcsfs", "gcs")])
def test_a_library_that_is_not_installed_is_named_by_its_extra(scheme: str, library: str, extra: str) -> None:
    program = (
        "import sys\n"
        f"sys.modules[{library!r}] = None\n"
        "from resources.object_storage import filesystem_of\n"
        "try:\n"
        f"    filesystem_of('{scheme}://bucket/in.jsonl')\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("SpecError") and f"pip install 'grounding-assets[{extra}]'" in run.stdout
