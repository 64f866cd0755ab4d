"""HTTP requests to the host that was named, and to no other; their replies, read within a deadline and a size.

What a reply means is not decided here, but in `refusals`.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.helpers import get_env_proxy_for_url
from aiohttp.http_exceptions import ContentEncodingError
from yarl import URL

from grounding_assets.core.annotation.calls import CallError, Trouble
from grounding_assets.core.errors import Reason, SpecError
from resources.vlm.keys import Scrubber

MAX_REPLY_BYTES = 32 << 20
"""Of one reply, decompressed."""
_MAX_READING_BYTES, _SMALL_REPLY_BYTES = 64 << 20, 1 << 20
"""Of all replies that are being read; small ones may always be read to their end."""
_MOST_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body of a reply, whatever they mean."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Talks to the host of one URL. Create it inside the event loop that uses it; the environment's proxies are heeded."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        where: str,
        setting: str,
        timeout_s: float,
        scrub: Scrubber,
    ):
        """`url` is where requests are posted; `where` and `setting`, such as `image_grounding.vlm.openai`, are for messages."""
        try:
            self._origin = _origin(url)
        except ValueError as error:
            raise SpecError(f"{setting}.base_url={where} is no URL: {error}.") from None
        self._url, self._headers = url, dict(headers)
        self._where, self._setting, self._timeout_s, self._scrub = where, setting, timeout_s, scrub
        self._session: aiohttp.ClientSession | None = None
        self._reading = 0
        self._proxies: dict[tuple[str, str, int], tuple[URL | None, aiohttp.BasicAuth | None]] = {}

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, parts: Sequence[bytes]) -> Answer:
        """Sends the parts as one body and reads the reply to its end.

        Raises:
            CallError: no reply came, or none that can be read.
        """
        return await self._send(self._url, parts, self._timeout_s)

    async def get(self, url: str, timeout_s: float) -> Answer:
        """Asks for a URL of the same host. Raises CallError as `post`."""
        return await self._send(url, None, timeout_s)

    async def _send(self, url: str, parts: Sequence[bytes] | None, timeout_s: float) -> Answer:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None),
                # no request carries cookies that a gateway set on another
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        try:
            # from the first byte sent to the last one read: neither a trickle nor heartbeats prolong it
            async with asyncio.timeout(timeout_s):
                return await self._follow(self._session, url, parts)
        except TimeoutError:
            raise CallError(
                Trouble.PASSING,
                f"No reply from {self._where} within {timeout_s:g} s; raise {self._setting}.timeout.",
                reason=Reason.TIMEOUT,
            ) from None
        # a host's name that cannot be one is a ValueError
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._unreachable(error) from None

    async def _follow(
        self, session: aiohttp.ClientSession, url: str, parts: Sequence[bytes] | None
    ) -> Answer:
        """Posts the parts, or gets the URL if there are none."""
        method, length = "GET", dict[str, str]()
        if parts is not None:
            # with a length, the body is not sent chunked, which some servers refuse
            method, length = "POST", {"Content-Length": str(sum(map(len, parts)))}
        headers = {**self._headers, **length}
        for _ in range(_MOST_REDIRECTS + 1):
            # never by the library: it would turn 301 into GET, and take custom headers and the picture anywhere
            body = None if parts is None else _stream(parts)
            proxy, proxy_auth = self._proxy_of(url)
            async with session.request(
                method,
                url,
                data=body,
                headers=headers,
                proxy=proxy,
                proxy_auth=proxy_auth,
                allow_redirects=False,
            ) as response:
                target = response.headers.get("Location", "") if 300 <= response.status < 400 else ""
                if not target:
                    return Answer(response.status, response.headers, await self._read(response))
            url = self._redirected(url, target, response.status, keeps_body=parts is not None)
        raise CallError(
            Trouble.ENDPOINT, f"{self._where} redirects in a circle: check {self._setting}.base_url."
        )

    def _proxy_of(self, url: str) -> tuple[URL | None, aiohttp.BasicAuth | None]:
        """The environment's, looked up once for each host: the session would read `~/.netrc` for every request."""
        origin = _origin(url)
        if origin not in self._proxies:
            try:
                self._proxies[origin] = get_env_proxy_for_url(URL(url))
            except LookupError:
                self._proxies[origin] = None, None
        return self._proxies[origin]

    def _redirected(self, url: str, target: str, status: int, *, keeps_body: bool) -> str:
        new = urljoin(url, target)
        if (status in (307, 308) or not keeps_body) and _is_same_host(self._origin, new):
            return new
        parts = urlsplit(new)
        shown = self._scrub(
            f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
        )[:300]
        raise CallError(
            Trouble.ENDPOINT,
            f"{self._where} redirects to {shown} ({status}), where neither key nor picture is sent: if that is "
            f"right, set {self._setting}.base_url to it.",
        )

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """The body, decompressed."""
        chunks: list[bytes] = []
        size = 0
        try:
            async for chunk in response.content.iter_any():
                size += len(chunk)
                self._reading += len(chunk)
                chunks.append(chunk)
                if size > MAX_REPLY_BYTES or (
                    size > _SMALL_REPLY_BYTES and self._reading > _MAX_READING_BYTES
                ):
                    response.close()
                    raise CallError(
                        Trouble.SAMPLE,
                        f"{self._where} sent a reply of more than {MAX_REPLY_BYTES >> 20} MB, or many large ones at once.",
                    )
        finally:
            self._reading -= size
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _unreachable(self, error: Exception) -> CallError:
        if isinstance(error, (aiohttp.ClientPayloadError, ContentEncodingError)):
            reason = self._on_one_line(error)
            return CallError(
                Trouble.PASSING, f"The reply of {self._where} breaks off or cannot be unpacked: {reason}."
            )
        if _is_caused_by(error, socket.gaierror, aiohttp.ClientConnectorDNSError):
            message = f"No such host: {self._where}. Check {self._setting}.base_url and the network."
            return CallError(Trouble.ENDPOINT, message, reached=False)
        reason = self._on_one_line(error)
        if _is_caused_by(error, ssl.SSLCertVerificationError, aiohttp.InvalidURL, UnicodeError):
            return CallError(Trouble.ENDPOINT, f"Cannot reach {self._where}: {reason}.", reached=False)
        reached = not isinstance(error, aiohttp.ClientConnectorError)
        return CallError(Trouble.PASSING, f"Cannot reach {self._where}: {reason}.", reached=reached)

    def _on_one_line(self, error: Exception) -> str:
        words = " ".join(str(error).split()) or type(error).__name__
        return self._scrub(words)[:200].rstrip(".")


def _origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port; raises ValueError for what is no URL."""
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("it names no host")
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)


def _is_same_host(named: tuple[str, str, int], url: str) -> bool:
    """The same server, or the same name under https instead of http at their usual ports."""
    try:
        found = _origin(url)
    except ValueError:
        return False
    return found == named or (named[0] == "http" and named[2] == 80 and found == ("https", named[1], 443))


def _is_caused_by(error: BaseException, *kinds: type[BaseException]) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, kinds):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


async def _stream(parts: Sequence[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
