"""The proxy's smaller parts: answers as they pass, who a request is from, where it goes, and what it waits for."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import msgspec
import pytest
from starlette.datastructures import Headers

from mnemolog.gateway.http.tokens import Token
from mnemolog.gateway.proxy.answers import reading
from mnemolog.gateway.proxy.options import Options, caller
from mnemolog.gateway.proxy.permits import bounded
from mnemolog.gateway.proxy.remembering import QUESTION_CHARS, shortened
from mnemolog.gateway.proxy.threads import FAILURES, PAUSE_S, Busy, Circuit, Threads
from mnemolog.gateway.proxy.upstream import below, forwarded, upstream_url
from mnemolog.schema.errors import InvalidInput

OPTIONS = Options(upstream="http://u/v1")


# ---- answers ---------------------------------------------------------------------------------------------------


def answer_of(*chunks: bytes, kind: str = "application/json") -> str | None:
    read = reading(kind, "")
    assert read is not None
    for chunk in chunks:
        read.feed(chunk)
    turn = read.turn()
    return None if turn is None else turn.text


def streamed(*events: Any) -> list[bytes]:
    return [f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode() for event in events]


def piece(content: str | None, finish: str | None = None, index: int = 0) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": {"content": content}, "finish_reason": finish}]}


def test_a_whole_answer_is_read_in_whatever_pieces_it_comes() -> None:
    document = json.dumps({"choices": [{"index": 0, "message": {"content": "Use Rust. é"}}]}).encode()
    assert answer_of(document) == "Use Rust. é"
    assert answer_of(*(bytes([byte]) for byte in document)) == "Use Rust. é"
    assert answer_of(document[:-5]) is None


def test_of_several_choices_none_is_taken_for_what_was_said() -> None:
    choices = [{"index": 0, "message": {"content": "a"}}, {"index": 1, "message": {"content": "b"}}]
    assert answer_of(json.dumps({"choices": choices}).encode()) is None
    two = streamed(piece("a"), piece("b", index=1), "[DONE]")
    assert answer_of(*two, kind="text/event-stream") is None


def test_a_streamed_answer_is_put_together_in_whatever_pieces_it_comes() -> None:
    events = b"".join(streamed(piece("Use "), piece(None), piece("Rust. é"), piece(None, "stop"), "[DONE]"))
    kind = "text/event-stream; charset=utf-8"
    assert answer_of(events, kind=kind) == "Use Rust. é"
    assert answer_of(*(bytes([byte]) for byte in events), kind=kind) == "Use Rust. é"
    assert answer_of(events.replace(b"\n", b"\r\n"), kind=kind) == "Use Rust. é"


def test_a_streamed_answer_that_did_not_come_to_its_end_was_not_said() -> None:
    assert answer_of(*streamed(piece("Use "), piece("Ru")), kind="text/event-stream") is None


def test_what_is_said_in_no_words_is_no_turn() -> None:
    call = {"choices": [{"index": 0, "message": {"content": None, "tool_calls": [{}]}}]}
    assert answer_of(json.dumps(call).encode()) is None
    assert answer_of(b'{"choices": []}') is None
    assert answer_of(b'{"error": {}}') is None
    assert answer_of(b": ping\n\ndata: nonsense\n\ndata: [7]\n\n", b"data: [DONE]", kind="text/event-stream") is None


def test_other_types_and_compressed_answers_are_not_read() -> None:
    assert reading("audio/mpeg", "") is None
    assert reading("application/json", "gzip") is None


# ---- who asks --------------------------------------------------------------------------------------------------


def test_headers_come_before_the_user_field_and_that_before_the_settings() -> None:
    options = Options(upstream="http://u", session="set", speaker="Set", session_header="X-Chat")
    assert caller(options, {}, None, "").session == "set"
    assert caller(options, Headers({"X-Chat": "chat"}), None, "").session == "chat"
    assert caller(options, Headers({"X-Chat": "chat", "Mnemolog-Session": "own"}), None, "").session == "own"
    assert caller(options, {}, None, "").speaker == "Set"
    assert caller(options, {}, "Field", "").speaker == "Field"
    assert caller(options, Headers({"Mnemolog-Speaker": "Head"}), "Field", "").speaker == "Head"


@pytest.mark.parametrize("what", ["speaker", "session"])
def test_the_user_field_names_what_it_is_told_to_name(what: Any) -> None:
    assert getattr(caller(Options(upstream="http://u", user_is=what), {}, "me", ""), what) == "me"


def test_a_client_chooses_no_space_unless_it_may() -> None:
    asked = Headers({"Mnemolog-Space": "other"})
    with pytest.raises(InvalidInput, match="may not choose"):
        caller(OPTIONS, asked, None, "")
    with pytest.raises(InvalidInput, match="may not choose"):
        caller(Options(upstream="http://u", user_is="space"), {}, "other", "")
    allowing = Options(upstream="http://u", allow_space=True)
    assert caller(allowing, asked, None, "").space == "other"
    with pytest.raises(InvalidInput):
        caller(allowing, Headers({"Mnemolog-Space": "../other"}), None, "")
    assert caller(OPTIONS, Headers({"Mnemolog-Space": "default"}), None, "").space == "default"


def test_errands_of_a_frontend_and_who_asks_for_it_go_without_a_memory() -> None:
    errand = caller(OPTIONS, {}, None, "### Task:\nGenerate a title")
    assert (errand.recalls, errand.publishes) == (False, False)
    for wish, uses in {"off": (False, False), "recall": (True, False), "publish": (False, True)}.items():
        found = caller(OPTIONS, Headers({"Mnemolog-Use": wish}), None, "Hi")
        assert (found.recalls, found.publishes) == uses
    with pytest.raises(InvalidInput):
        caller(OPTIONS, Headers({"Mnemolog-Use": "maybe"}), None, "Hi")


def test_a_time_is_taken_from_a_header_and_must_state_its_offset() -> None:
    assert caller(OPTIONS, Headers({"Mnemolog-At": "1970-01-01T00:00:01Z"}), None, "Hi").said_at == 1_000
    with pytest.raises(InvalidInput):
        caller(OPTIONS, Headers({"Mnemolog-At": "1970-01-01T00:00:01"}), None, "Hi")


def test_names_that_no_log_can_hold_are_refused() -> None:
    for name in ("Mnemolog-Session", "Mnemolog-Speaker"):
        with pytest.raises(InvalidInput):
            caller(OPTIONS, Headers({name: "x" * 201}), None, "")


def test_a_token_leaves_what_its_scope_and_its_bounds_leave() -> None:
    who = caller(OPTIONS, Headers({"Mnemolog-Session": "web-1"}), "Eve", "Hi")
    reading_one = Token(name="t", scope="read", spaces=("default",), created_at=0)
    assert (bounded(who, reading_one).recalls, bounded(who, reading_one).publishes) == (True, False)
    bound = Token(
        name="t", scope="write", spaces=("*",), created_at=0, speaker="Ada", session_prefix="web-", role="user"
    )
    found = bounded(who, bound)
    assert (found.speaker, found.is_bound, found.role, found.publishes) == ("Ada", True, "user", True)
    for token in (None, Token(name="t", scope="admin", spaces=("other",), created_at=0)):
        with pytest.raises(InvalidInput, match="no token of this memory"):
            bounded(who, token)
    with pytest.raises(InvalidInput, match="other sessions"):
        bounded(caller(OPTIONS, {}, None, "Hi"), bound)


def test_who_speaks_for_one_alone_or_only_reads_changes_no_turns_of_others() -> None:
    who = caller(OPTIONS, Headers({"Mnemolog-Session": "web-1"}), "Eve", "Hi")
    note = Token(name="t", scope="write", spaces=("default",), created_at=0)
    owners = [
        bounded(who, msgspec.structs.replace(note, **bound)).owner
        for bound in ({}, {"speaker": "Ada"}, {"role": "user"}, {"scope": "read"})
    ]
    assert owners == ["", "Ada", "t", "t"]


@pytest.mark.parametrize("path", ["@evil.example/x", ":81/x", ".evil.example/x", "", "*", "http://evil.example/x"])
def test_a_path_names_no_other_host(path: str) -> None:
    with pytest.raises(InvalidInput, match="leads out"):
        below("https://h", path)


def test_a_length_beside_a_coding_that_overrules_it_goes_no_further() -> None:
    both = [(b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"5"), (b"Accept", b"*/*")]
    assert forwarded(both) == [(b"accept", b"*/*")]


# ---- where it goes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["ftp://u", "api.openai.com", "http://", "http://u:p@h/v1", "http://h/?k=1", "http://h:x", ""]
)
def test_what_is_no_upstream_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="--upstream"):
        upstream_url(url)


@pytest.mark.parametrize(
    ("base", "path", "behind"),
    [
        ("https://h/v1", "/v1/models", "/models"),
        ("https://h/v1", "/v1", ""),
        ("https://h/v1", "/v1beta/models", "/v1beta/models"),
        ("https://h", "/v1/models", "/v1/models"),
        ("https://h/openai", "/chat/completions", "/chat/completions"),
        ("https://h/v1", "/v1/files/a%2Fb", "/files/a%2Fb"),
    ],
)
def test_a_path_goes_behind_the_upstreams_with_one_v1(base: str, path: str, behind: str) -> None:
    assert below(base, path) == behind


@pytest.mark.parametrize(
    "path", ["/v1/../admin", "/v1/%2e%2E/admin", "/v1/.%2e", "/v1/..\\admin", "/v1/%2e%2e%2fadmin"]
)
def test_no_path_leads_out_of_the_upstream(path: str) -> None:
    with pytest.raises(InvalidInput):
        below("https://h/v1", path)


def test_headers_of_one_connection_and_those_for_the_proxy_go_no_further() -> None:
    given = [
        (b"Host", b"proxy"),
        (b"Connection", b"close, X-Once"),
        (b"X-Once", b"1"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Mnemolog-Session", b"monday"),
        (b"Authorization", b"Bearer key"),
        (b"X-Twice", b"1"),
        (b"X-Twice", b"2"),
    ]
    kept = [(b"authorization", b"Bearer key"), (b"x-twice", b"1"), (b"x-twice", b"2")]
    assert forwarded(given, b"host") == kept


# ---- what it waits for -----------------------------------------------------------------------------------------


async def test_what_takes_too_long_is_given_up_on_and_no_more_is_taken_than_can_wait() -> None:
    threads, go = Threads("test", workers=1, most_waiting=1), threading.Event()
    with pytest.raises(TimeoutError):
        await threads.run(go.wait, 0.01)
    waiting = asyncio.create_task(threads.run(lambda: 7))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await threads.run(lambda: 8)
    go.set()
    assert await waiting == 7
    assert await threads.run(lambda: 9) == 9
    threads.close()


def test_a_circuit_opens_after_failures_in_a_row_and_is_tried_again_later() -> None:
    now = 0.0
    circuit = Circuit(lambda: now)
    for _ in range(FAILURES - 1):
        circuit.failed()
    circuit.succeeded()
    for _ in range(FAILURES):
        assert not circuit.is_open
        circuit.failed()
    assert circuit.is_open
    now = PAUSE_S
    assert not circuit.is_open
    circuit.failed()
    assert circuit.is_open


def test_a_long_question_is_asked_by_its_beginning_and_its_end() -> None:
    assert shortened("short") == "short"
    long = shortened("a" * 9_000 + "end?")
    assert len(long) <= QUESTION_CHARS + 1
    assert long.startswith("aaa")
    assert long.endswith("end?")
