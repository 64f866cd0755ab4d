"""A body that is made to do harm, or comes too slowly, is an error of its call; over HTTP."""

import gzip
import select
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from grounding_assets.core.annotation.calls import CallError, ModelReply, Trouble
from grounding_assets.core.batch.service import Refused
from grounding_assets.core.errors import GroundingError, Reason
from resources.vlm.batch.gemini_batches import GeminiBatches
from resources.vlm.batch.openai_batches import OpenAiBatches
from tests.vlm.asking import (
    KEY,
    REQUEST,
    TEXT,
    asked,
    chat,
    gemini_client,
    generated,
    openai_client,
    outcome,
    packed,
)
from tests.vlm.raw_server import raw_server


@pytest.mark.parametrize(
    ("body", "trouble"),
    [
        (b"[" * 100_000, Trouble.SAMPLE),
        (b'{"a":' * 50_000, Trouble.SAMPLE),
        (b"[" + b"[]," * 1_000_000 + b"1]", Trouble.SAMPLE),
        (b'{"choices": [' * 300, Trouble.PASSING),
        (b'{"choices": 1' + b"0" * 5000 + b"}", Trouble.PASSING),
        (b"\xff\xfe\x00{", Trouble.PASSING),
        (b"", Trouble.PASSING),
    ],
    ids=["lists", "objects", "many", "cut", "number", "no text", "nothing"],
)
@pytest.mark.parametrize("gemini", [False, True])
def test_a_poisoned_body_is_an_error_of_that_call(body: bytes, trouble: Trouble, gemini: bool) -> None:
    found = outcome(200, body, gemini=gemini)
    assert isinstance(found, CallError) and found.trouble is trouble


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_a_body_that_cannot_be_unpacked_is_told_on_one_line(encoding: str) -> None:
    found = outcome(200, chat(), Content_Encoding=encoding)
    assert isinstance(found, CallError) and found.trouble is Trouble.PASSING
    assert str(found).isprintable()


@pytest.mark.parametrize("charset", ["hex", "no-such", "utf-16", "rot13", "undefined"])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_no_charset_does_harm(status: int, charset: str) -> None:
    found = outcome(status, b"{not json}", Content_Type=f"text/plain; charset={charset}")
    assert isinstance(found, CallError) and found.trouble in (Trouble.PASSING, Trouble.REQUEST)


@pytest.mark.parametrize(
    "usage", [{"prompt_tokens": 10**400, "completion_tokens": 3}, {"prompt_tokens": "7", "completion_tokens": "3"},
              {"prompt_tokens": 7.0, "completion_tokens": 3.5}, {"prompt_tokens": -7, "completion_tokens": 3}, {}]
)  # fmt: skip
def test_a_count_that_is_none_is_told_apart_from_zero(usage: Any) -> None:
    found = outcome(200, chat(usage=usage))
    assert found.text == TEXT and not found.counted and 0 <= found.tokens_in <= 10**9


def test_a_gzip_bomb_and_an_endless_body_end_at_the_limit() -> None:
    bomb = gzip.compress(b" " * (300 << 20), 1)
    found = outcome(200, bomb, Content_Encoding="gzip")
    assert isinstance(found, CallError) and found.trouble in (Trouble.SAMPLE, Trouble.PASSING)

    sent = [0]

    def endless(arrived: Any, handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b" " * (1 << 20))
            sent[0] += 1 << 20

    with raw_server(endless) as server:
        (found,) = asked(lambda: openai_client(f"{server.url}/v1", timeout_s=60))
    assert (
        isinstance(found, CallError) and found.trouble is Trouble.SAMPLE and "more than 32 MB" in str(found)
    )
    assert sent[0] < 64 << 20


@pytest.mark.parametrize("whole", [packed(chat()), b" " * 1000, b": keep-alive\n\n" * 100])
def test_one_deadline_holds_for_a_reply_that_comes_byte_by_byte(whole: bytes) -> None:
    sent = []

    def trickle(arrived: Any, handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        for byte in whole:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            sent.append(byte)
            # until the client has gone, at most for a part of its deadline
            if select.select([handler.connection], [], [], 0.1)[0]:
                return

    with raw_server(trickle) as server:
        (found,) = asked(lambda: openai_client(f"{server.url}/v1", timeout_s=2))
    assert isinstance(found, CallError) and found.reason is Reason.TIMEOUT
    assert 2 <= len(sent) < len(whole), "each byte came sooner than the deadline, and all of them would not"


def test_the_words_of_others_cannot_act_on_a_terminal() -> None:
    found = outcome(422, {"error": {"message": "\x1b]0;owned\x07\x1b[2J bad"}})
    assert str(found).isprintable() and "\\x1b[2J" in str(found)


def by_batch(service: type[OpenAiBatches] | type[GeminiBatches], status: int, body: Any) -> GroundingError:
    """What a submission to such an endpoint raises."""
    gemini: Any = {"model": "m"} if service is GeminiBatches else {}
    with raw_server(lambda arrived, handler: (status, {}, packed(body))) as server:
        jobs = service(base_url=f"{server.url}/v1", api_key=KEY, setting="openai", **gemini)
        with closing(jobs), pytest.raises(Refused) as refused:
            jobs.create("files/1", "0123456789abcdef")
    return refused.value


@pytest.mark.parametrize("ask", [
    outcome, partial(outcome, gemini=True), partial(by_batch, OpenAiBatches), partial(by_batch, GeminiBatches),
], ids=["openai", "gemini", "openai batch", "gemini batch"])  # fmt: skip
@pytest.mark.parametrize("status", [401, 403, 422])
@pytest.mark.parametrize("quoted", [KEY, f"{KEY[:8]}{'*' * 40}{KEY[-4:]}", f"sk-...{KEY[-4:]}"])
def test_the_words_of_others_hold_no_key_and_no_part_of_one(ask: Any, status: int, quoted: str) -> None:
    said = str(ask(status, {"error": {"message": f"Incorrect API key provided: {quoted}. Is it yours?"}}))
    assert "provided: [key]. Is it yours?" in said and KEY[-4:] not in said


@pytest.mark.parametrize("word", ["anything", KEY])
def test_the_text_of_a_reply_is_never_edited(word: str) -> None:
    text = f"a man without {word} in his hands"
    answers = (200, {}, packed(chat(text))), (200, {}, packed(generated(text)))
    for make, answer in zip((openai_client, gemini_client), answers, strict=True):
        with raw_server(lambda arrived, handler, answer=answer: answer) as server:
            (found,) = asked(lambda make=make, server=server: make(server.url), REQUEST)
        assert isinstance(found, ModelReply) and found.text == text
