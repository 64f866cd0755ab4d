"""Object storage, by fsspec: which library an address needs, what its errors mean, and whether it keeps its word.

fsspec and the libraries behind it are imported with the first address, so that a run on one machine loads none of
them. Credentials come by the variables that each library reads itself (`AWS_*`, `GOOGLE_APPLICATION_CREDENTIALS`);
they are neither read nor kept here.
"""

import errno
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from grounding_assets.core.errors import GroundingError, RunStopped, SpecError, StorageUnavailable
from grounding_assets.core.spec.paths import scheme_of, shown_address

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

T = TypeVar("T")
Patient = tuple[type[GroundingError], ...]

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
"""The extra that brings the library, by scheme; libraries of other schemes are installed by their own names."""
VARIABLES = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gcs": "GOOGLE_APPLICATION_CREDENTIALS",
}
"""Where credentials come from, by extra."""
CONNECTIONS = 64
"""At most so many at a time, to one storage."""
PATIENCE_S = 120.0
"""So long a storage of results that is away is waited for, beyond the library's own attempts."""
_CONNECT_S, _READ_S, _ATTEMPTS, _PAUSE_S = 10, 60, 4, 1.0
_BAD_CREDENTIALS = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"}
    | {"RequestTimeTooSkewed", "NotSignedUp", "AccountProblem", "InvalidSecurity", "invalid_grant"}
)
"""S3's codes for what no other object will change."""
_NO_CREDENTIALS = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "ProfileNotFound",
)
_AWAY = (
    errno.EBUSY,
    errno.EREMOTEIO,
    errno.ETIMEDOUT,
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.EHOSTUNREACH,
)
_AWAY_CLASSES = ("HTTPClientError", "ConnectionError", "ClientConnectionError", "TransportError")
"""Of botocore, requests, aiohttp and google-auth."""


_have_answered: set[str] = set()
"""Hosts that this process has heard of: what never answered is most likely mistyped."""


class StorageRefusal(RunStopped):
    """The storage does not take the credentials, or there are none: no object will be read or written."""


class ObjectForbidden(GroundingError):
    """The credentials do not reach this object."""


class ObjectError(GroundingError):
    """The storage answered that it cannot do this with this object."""


def filesystem_of(address: str) -> "tuple[AbstractFileSystem, str]":
    """The file system of an address, and the path in it.

    One file system a process and storage: connections are shared by all threads. Listings are not cached.

    Raises:
        SpecError: the library is not installed (the message names the extra), there is none, or its endpoint is no URL.
    """
    scheme, shown = scheme_of(address), shown_address(address)
    try:
        import fsspec

        store = fsspec.filesystem(scheme, use_listings_cache=False, **_options(scheme))
    except ImportError as error:
        raise SpecError(_how_to_install(scheme, shown, error)) from None
    except ValueError:
        raise SpecError(
            f"{shown}: no file system is known for {scheme}://. Use s3://, gs://, or a path of this machine."
        ) from None
    return store, str(store._strip_protocol(address))


def _options(scheme: str) -> dict[str, Any]:
    if EXTRAS.get(scheme) != "s3":
        return {}
    if (endpoint := _endpoint()) and scheme_of(endpoint) not in ("http", "https"):
        raise SpecError(
            f"AWS_ENDPOINT_URL is no URL: write http:// or https:// before {endpoint.rpartition('@')[2]}."
        )
    # botocore tries again by itself, with backoff, what may pass: 5xx, throttling, lost connections
    return {
        "config_kwargs": {
            "max_pool_connections": CONNECTIONS,
            "connect_timeout": _CONNECT_S,
            "read_timeout": _READ_S,
            "retries": {"mode": "standard", "total_max_attempts": _ATTEMPTS},
        }
    }


def _how_to_install(scheme: str, shown: str, error: ImportError) -> str:
    extra = EXTRAS.get(scheme)
    if extra is None:
        return f"{shown}: the library for {scheme}:// is not installed: {error}."
    return f"{shown}: reading {scheme}:// needs the extra [{extra}]: pip install 'grounding-assets[{extra}]'."


@contextmanager
def storage_errors(address: str) -> Iterator[None]:
    """Within the block, errors of the storage become ours; their messages name the address without secrets.

    `FileNotFoundError` and `FileExistsError` pass: what they mean is for the caller to say.

    Raises:
        StorageUnavailable: it does not answer, or asks to come later, after the library's own attempts.
        StorageRefusal: the credentials are wrong or there are none.
        ObjectForbidden: the credentials do not reach this object.
        ObjectError: anything else that the storage says.
    """
    try:
        yield
    except (FileNotFoundError, FileExistsError):
        raise
    except _raised_by(scheme_of(address)) as error:
        raise _explained(error, address) from None


def patiently(address: str, ask: Callable[[], T], *, patient_with: Patient = (StorageUnavailable,)) -> T:
    """What `ask` returns; storage that has answered before, and is away now, is asked again for `PATIENCE_S`.

    Raises as `storage_errors`.
    """
    host, begun = host_of(address), time.monotonic()
    while True:
        try:
            with storage_errors(address):
                answer = ask()
        except (FileNotFoundError, FileExistsError):
            _have_answered.add(host)
            raise
        except patient_with:
            if host not in _have_answered or time.monotonic() - begun > PATIENCE_S:
                # whoever asks next, to tidy up, is not to wait as long again
                _have_answered.discard(host)
                raise
            time.sleep(_PAUSE_S)
        else:
            _have_answered.add(host)
            return answer


def require_exclusive_create(store: "AbstractFileSystem", folder: str, address: str) -> None:
    """Makes sure that a file which is there cannot be created again, on which claims between machines rest.

    Two small requests to write and one to delete. Buckets are not made: a name that is not there is a mistyped one.

    Raises:
        StorageRefusal: it can, or there is no such bucket.
        GroundingError: the folder cannot be written; see `storage_errors`.
    """
    probe = f"{folder.rstrip('/')}/.exclusive-{secrets.token_hex(8)}"
    with storage_errors(address):
        if scheme_of(address) not in EXTRAS:
            store.makedirs(folder, exist_ok=True)
        try:
            create_exclusively(store, probe, b"1")
            create_exclusively(store, probe, b"2")
        except FileExistsError:
            return
        except FileNotFoundError:
            raise StorageRefusal(
                f"There is no bucket for {shown_address(address)} in {host_of(address)}. Correct the address, or create the bucket."
            ) from None
        finally:
            with suppress(FileNotFoundError):
                store.rm_file(probe)
    raise StorageRefusal(
        f"{shown_address(address)}: this storage overwrites a file that was to be created only if it was not there "
        "(If-None-Match), so two machines could take the same work. Use a storage that knows conditional writes."
    )


def create_exclusively(store: "AbstractFileSystem", path: str, content: bytes) -> None:
    """Writes a file that must not be there yet; of several that try, one succeeds.

    The content is to tell who wrote it: where the answer to a write is lost, the library's next attempt finds the file there.

    Raises:
        FileExistsError: it is there, and another's.
    """
    try:
        stream: Any = store.open(path, "xb")
        with stream:
            stream.write(content)
    except FileExistsError:
        with suppress(FileNotFoundError):
            if store.cat_file(path) == content:
                return
        raise


def host_of(address: str) -> str:
    """Whom requests for the address go to, as a message names it: host, and port if one is set."""
    extra = EXTRAS.get(scheme_of(address))
    if extra == "s3":
        set_to = _endpoint()
    else:
        set_to = os.environ.get("STORAGE_EMULATOR_HOST", "") if extra == "gcs" else ""
    return urlsplit(set_to).netloc.rpartition("@")[2] or f"the storage of {scheme_of(address)}://"


def _endpoint() -> str:
    """Of S3, where it is not Amazon's."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")


def _raised_by(scheme: str) -> tuple[type[Exception], ...]:
    """What the scheme's library raises; `TimeoutError` and `PermissionError` are kinds of `OSError`."""
    extra = EXTRAS.get(scheme)
    if extra == "s3":
        from aiohttp import ClientError as LostConnection
        from botocore.exceptions import BotoCoreError, ClientError

        return OSError, BotoCoreError, ClientError, LostConnection
    if extra == "gcs":
        from aiohttp import ClientError as LostConnection
        from gcsfs.retry import HttpError
        from google.auth.exceptions import GoogleAuthError

        # gcsfs words some answers of status 400 as ValueError
        return OSError, ValueError, HttpError, GoogleAuthError, LostConnection
    return (OSError,)


def _explained(error: Exception, address: str) -> GroundingError:
    shown, host = shown_address(address), host_of(address)
    variables = VARIABLES.get(EXTRAS.get(scheme_of(address), ""), "the storage's own variables")
    classes = {base.__name__ for base in type(error).__mro__}
    code, status = _code_and_status(error)
    if classes.intersection(_NO_CREDENTIALS):
        return StorageRefusal(f"{shown}: there are no credentials for {host}. Set {variables}.")
    if code in _BAD_CREDENTIALS or status == 401 or (classes & {"RefreshError", "DefaultCredentialsError"}):
        return StorageRefusal(
            f"{shown}: {host} does not take the credentials ({code or status or _words(error)}). Set {variables}."
        )
    if isinstance(error, PermissionError) or status == 403 or str(error).startswith("Forbidden"):
        return ObjectForbidden(
            f"No permission for {shown}. Allow it to the credentials that are set ({variables}), or check the name: "
            "storage that may not be listed says the same of what is not there."
        )
    away = isinstance(error, (TimeoutError, ConnectionError)) or getattr(error, "errno", None) in _AWAY
    if away or status == 429 or status >= 500 or classes.intersection(_AWAY_CLASSES):
        return StorageUnavailable(
            f"{host} does not answer for {shown}: {_words(error)}. What is finished is kept; run again when the "
            "storage is there."
        )
    return ObjectError(f"{host} refuses {shown}: {_words(error)}.")


def _code_and_status(error: Exception) -> tuple[str, int]:
    """The storage's own code for what is wrong, and the HTTP status; empty and 0 where unknown."""
    for one in (error, error.__cause__):
        answer = getattr(one, "response", None)
        if isinstance(answer, dict):  # botocore's
            status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return str(answer.get("Error", {}).get("Code", "")), int(status)
        if str(getattr(one, "code", "")).isdigit():  # gcsfs's
            return "", int(getattr(one, "code", 0))
    return "", 0


def _words(error: Exception) -> str:
    """What the library says, shortened, without addresses' users, passwords and queries."""
    text = " ".join(str(error).split()) or type(error).__name__
    return re.sub(r"(//)[^/@\s]*@|\?[^\s\"']*", r"\1", text)[:200].rstrip(".")
