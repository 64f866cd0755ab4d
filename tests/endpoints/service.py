"""Serves one request of a simulated endpoint: limits, reading, fault, latency, reply, record.

Not here: wire formats (the kinds), which request fails (`faults.py`), what the model says (`model.py`).
"""

import asyncio
import json
import math
import socket
import struct
import time
from dataclasses import replace
from email.utils import formatdate
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.typedefs import Handler

from tests.endpoints.contract import TAIL_BYTES, Question, read_question, read_question_in_body
from tests.endpoints.faults import HTTP_STATUS, Fault, Faults
from tests.endpoints.model import CHARACTERS_PER_TOKEN
from tests.endpoints.photos import UNREADABLE, Seen
from tests.endpoints.record import NO_RESPONSE, ReceivedRequest
from tests.endpoints.wire import Ask, Generated, Refusal, Reply

if TYPE_CHECKING:
    from tests.endpoints.server import SimulatedEndpoint

HEADER = "x-simulated-endpoint"
_CHEAP_SEEN = Seen((640, 480), "cheap")
_CARD = "A white picture with "
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing sends RST instead of FIN."""
_RESETS = (Fault.RESET, Fault.RESET_MID_REPLY)
_MESSAGES = {
    401: "The API key is no longer valid.",
    403: "The caller does not have permission.",
    408: "The request timed out.",
    409: "The request conflicts with another one.",
    429: "Resource has been exhausted (e.g. check quota).",
    500: "An internal error has occurred.",
    503: "The model is overloaded. Please try again later.",
}
_WORDS = {
    Fault.FLAGGED: ("This model requires moderation. Your input was flagged for violence.", ""),
    Fault.BAD_REQUEST: ("The picture could not be processed.", ""),
    Fault.FORBIDDEN_BARE: ("Forbidden", ""),
    Fault.OUT_OF_CREDIT: ("Insufficient credits. Add more to go on.", ""),
    Fault.QUOTA_EXHAUSTED: ("You exceeded your current quota, please check your plan.", "insufficient_quota"),
}
"""(message, reason) of faults that share a status with others."""
_GATEWAY_PAGE = (
    b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
)


class Service:
    """The HTTP application of one endpoint."""

    def __init__(self, endpoint: "SimulatedEndpoint"):
        self.endpoint = endpoint
        self.kind = endpoint.kind

    def application(self) -> web.Application:
        app = web.Application(client_max_size=2**28, middlewares=[self._count])
        app.on_response_prepare.append(self._sign)
        for path in self.kind.generation_paths:
            app.router.add_post(path, self.generate)
        app.router.add_get("/_sim/stats", self._stats)
        app.router.add_post("/_sim/reset", self._reset)
        app.router.add_post("/_sim/faults", self._faults)
        app.router.add_routes(self.kind.routes())
        if self.endpoint.batch is not None:
            app.router.add_routes(self.endpoint.batch.routes())
        return app

    async def generate(self, request: web.Request) -> web.StreamResponse:
        """One request for a generation. It is recorded before the client can know the answer."""
        in_flight = self.endpoint.recorder.started()
        fields: dict[str, Any] = {"at": time.time(), "body_bytes": 0, "status": NO_RESPONSE}
        arrived = time.monotonic()
        try:
            body = await request.read()
            arrived = time.monotonic()
            fields.update(at=time.time(), body_bytes=len(body))
            try:
                reply = await self._reply(request, body, in_flight, arrived, fields)
            except Refusal as refusal:
                reply = self._refused(refusal)
            if fields.get("fault") not in _RESETS:
                fields["status"] = reply.status
        finally:
            self.endpoint.recorder.finished(
                ReceivedRequest(
                    path=request.path,
                    key=self.kind.carried_key(request.headers),
                    seconds=time.monotonic() - arrived,
                    **fields,
                )
            )
        if fields.get("fault") in _RESETS:
            return await self._reset_connection(request, reply, half=fields["fault"] == Fault.RESET_MID_REPLY)
        return self._response(reply)

    async def _reply(
        self, request: web.Request, body: bytes, in_flight: int, arrived: float, fields: dict[str, Any]
    ) -> Reply:
        """The reply, once it is time for it; fills in what the record keeps. Raises `Refusal`."""
        self.kind.check_key(request.headers)
        if self.endpoint.plan.over_limit(in_flight):
            fields["fault"] = "limit"
            return self._http_fault(self.endpoint.faults.limit_fault)
        if self.endpoint.cheap and len(body) > TAIL_BYTES:
            ask, question = Ask(self.endpoint.model), read_question_in_body(body)
        else:
            ask = self.kind.read(body, request.path)
            question = read_question(ask.content.varying, ask.content.texts)
        # a calibration card is looked at even then: a model that puts all its shapes in one place is stopped
        unread = self.endpoint.cheap and not question.caption.startswith(_CARD)
        image = ask.content.image
        digest = sha256(image).hexdigest() if image is not None else ""
        fields.update(_record_fields(ask, question, digest))
        seen = _CHEAP_SEEN
        if not unread:
            # step 2's pictures are drawn anew for each question, and their verifier looks for itself
            seen = None if question.step == "2" else await self._look(image, digest)
            if seen is not None:
                fields["image_size"] = seen.size
        key = blake2b(repr((digest, question)).encode(errors="surrogatepass"), digest_size=12).hexdigest()
        attempt, fault = self.endpoint.plan.choose(key, question.step, question.caption)
        fields.update(attempt=attempt, fault=str(fault or ""))
        if fault is Fault.HANG:
            await asyncio.Event().wait()
        if fault is not None and fault in HTTP_STATUS:
            return self._http_fault(fault)
        generated = self._generate(ask, question, seen, astray=fault is Fault.OUT_OF_RANGE)
        reply = self.kind.reply(ask, generated, fault, self.endpoint.simulated_model.behaviour.thinking_in)
        wait = arrived + self.endpoint.latency.seconds(key, attempt) - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        if fault is Fault.GARBAGE_BODY:
            return replace(reply, body=_encoded(reply.body)[:-20])
        return reply

    async def _look(self, image: bytes | None, digest: str) -> Seen | None:
        album = self.endpoint.album
        if image is None:
            return None
        try:
            seen = album.known(digest) or await asyncio.to_thread(album.look, image)
        except UNREADABLE as error:
            raise Refusal(self.kind.bad_image_status, f"cannot read the image: {error}") from error
        try:
            self.endpoint.family.frame(self.endpoint.server(seen.size).size)
        except ValueError as error:
            raise Refusal(500, str(error)) from error
        return seen

    def _generate(self, ask: Ask, question: Question, seen: Seen | None, *, astray: bool) -> Generated:
        """The model's text as the endpoint passes it on, cut where the token limit ends it."""
        model = self.endpoint.simulated_model
        if question.step == "2" and self.endpoint.verifier is not None:
            generated = self.endpoint.verifier.answer(question, ask)
        else:
            generated = model.answer(question, seen, ask, astray=astray)
        text = self.kind.shape(generated.text, ask, model.behaviour.seed)
        tokens, finish = -(-len(text) // CHARACTERS_PER_TOKEN), generated.finish
        if ask.max_tokens is not None:
            left = max(0, ask.max_tokens - generated.thinking_tokens)
            if tokens > left:
                text, tokens, finish = text[: left * CHARACTERS_PER_TOKEN], left, "length"
        return replace(generated, text=text, completion_tokens=tokens, finish=finish)

    def _refused(self, refusal: Refusal) -> Reply:
        body = self.kind.error(refusal.status, refusal.message, refusal.reason)
        return Reply(body, refusal.status)

    def _http_fault(self, fault: Fault) -> Reply:
        status, wait = HTTP_STATUS[fault], self.endpoint.faults.retry_after
        if fault is Fault.BAD_GATEWAY:
            return Reply(_GATEWAY_PAGE, status, {"Content-Type": "text/html"})
        message, reason = _WORDS.get(fault) or (_MESSAGES[status], "")
        headers = {}
        if fault is Fault.RATE_LIMITED_SECONDS:
            headers = {"Retry-After": f"{wait:g}"}
        elif fault is Fault.RATE_LIMITED_DATE:
            headers = {"Retry-After": formatdate(math.ceil(time.time() + wait), usegmt=True)}
        elif fault is Fault.RATE_LIMITED_RETRY_INFO:
            reason = f"retry:{wait:g}"
        return Reply(self.kind.error(status, message, reason), status, headers)

    def _response(self, reply: Reply) -> web.Response:
        headers = {"Content-Type": "application/json", **(reply.headers or {})}
        if self.kind.rate_headers:
            limit, left = self.endpoint.plan.allowance()
            headers["x-ratelimit-limit-requests"] = str(limit)
            headers["x-ratelimit-remaining-requests"] = str(left)
            headers["x-ratelimit-reset-requests"] = "1s"
        response = web.Response(body=_encoded(reply.body), status=reply.status, headers=headers)
        if not self.endpoint.keeps_alive:
            response.force_close()
        return response

    async def _reset_connection(
        self, request: web.Request, reply: Reply, *, half: bool
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        transport = request.transport
        if half:
            body = _encoded(reply.body)
            response.content_length = len(body)
            await response.prepare(request)
            await response.write(body[: len(body) // 2])
        if transport is not None:
            peer = transport.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            transport.abort()
        return response

    @web.middleware
    async def _count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith("/_sim/"):
            self.endpoint.recorder.came(f"{request.method} {request.path}")
        return await handler(request)

    async def _sign(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers[HEADER] = self.endpoint.description

    async def _stats(self, request: web.Request) -> web.Response:
        wanted = {name: name in request.query for name in ("calls", "requests")}
        return web.json_response(self.endpoint.recorder.stats(**wanted))

    async def _reset(self, request: web.Request) -> web.Response:
        self.endpoint.recorder.reset()
        self.endpoint.plan.reset()
        return web.json_response({"reset": True})

    async def _faults(self, request: web.Request) -> web.Response:
        try:
            self.endpoint.faults = Faults.from_json(await request.json())
        except (ValueError, TypeError, KeyError) as error:
            return web.json_response({"error": f"no such faults: {error}"}, status=400)
        return web.json_response({"rules": len(self.endpoint.faults.rules)})


def _record_fields(ask: Ask, question: Question, digest: str) -> dict[str, Any]:
    return {
        "step": question.step,
        "caption": question.caption,
        "expressions": tuple(text for _, text in question.expressions),
        "model": ask.model,
        "image_sha256": digest,
        "image_bytes": len(ask.content.image or b""),
        "mime": ask.content.mime,
        "parts": tuple(ask.content.parts),
        "text": "\n".join(ask.content.texts),
        "parameters": ask.parameters,
    }


def _encoded(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()
