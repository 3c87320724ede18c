"""The server: chat completions, embeddings and models over HTTP in their wire format, and a count of requests."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import msgspec

from mnemolog.gateway.model_server import embeddings, wire
from mnemolog.gateway.model_server.faults import Answer, Fault, spoil
from mnemolog.gateway.model_server.request import KINDS, Request, chat_request, embeddings_request
from mnemolog.gateway.model_server.script import Script
from mnemolog.gateway.model_server.wire import tokens

_OK = 200
_JSON = "application/json"
#: What a function may answer: the JSON of a reply, its text, or all that goes over the wire.
Answered = dict[str, Any] | str | Answer


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """What the server was asked so far: requests by kind, faults done to answers, and the tokens of good ones."""

    requests: dict[str, int]
    faults: dict[str, int]
    tokens_in: int
    tokens_out: int


class ModelServer:
    """A server on this machine; entering the `with` block starts it, leaving it stops it.

    `answer` is a Script or a function of a Request; embeddings are its own affair. `fault` is done to every answer
    while it is set, in place of the script's faults. Port 0 takes a free one.
    """

    def __init__(
        self,
        answer: Callable[[Request], Answered] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        dimension: int = embeddings.DIMENSION,
    ) -> None:
        self.fault: Fault | None = None
        self.dimension = dimension
        self._answer: Callable[[Request], Answered] = answer or Script(())
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
        self._faults: Counter[str] = Counter()
        self._tokens = [0, 0]
        self._done: Counter[tuple[str, str]] = Counter()
        self._http = _HttpServer((host, port), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="model server", daemon=True)

    @property
    def url(self) -> str:
        """What OPENAI_BASE_URL is to be."""
        host, port = self._http.server_address[:2]
        return f"http://{host!s}:{port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def counters(self) -> Counters:
        """What it was asked so far."""
        with self._lock:
            return Counters(
                requests=dict(self._requests),
                faults=dict(self._faults),
                tokens_in=self._tokens[0],
                tokens_out=self._tokens[1],
            )

    def respond(self, request: Request) -> Answer:
        """The answer to a request, and its place in the counters."""
        with self._lock:
            self._requests[request.kind] += 1
        given: Answered = "" if request.kind == "embeddings" else self._answer(request)
        fault = self._due_fault(request)
        answer = given if isinstance(given, Answer) else spoil(_text(given), fault)
        with self._lock:
            if fault is not None:
                self._faults[fault.fault] += 1
            if answer.status == _OK:
                self._tokens[0] += tokens(request.prompt_chars)
                self._tokens[1] += tokens(len(answer.text))
        return answer

    def _due_fault(self, request: Request) -> Fault | None:
        scripted = self._answer.faults(request) if isinstance(self._answer, Script) else []
        found = scripted if self.fault is None else [self.fault]
        with self._lock:
            for fault in found:
                if fault.fault == "no_structured_output" and not request.structured:
                    continue
                key = (repr(fault), request.identity)
                if fault.times is None or self._done[key] < fault.times:
                    self._done[key] += 1
                    return fault
        return None


def _text(answered: dict[str, Any] | str) -> str:
    return answered if isinstance(answered, str) else msgspec.json.encode(answered).decode("utf-8")


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self) -> None:
        # The inherited one asks the network for this machine's name, which may take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing about clients that went away."""


def _handler(server: ModelServer) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        model_server = server

    return Handler


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model_server: ModelServer

    def do_GET(self) -> None:
        if self.path == "/counters":
            self._send(_OK, msgspec.to_builtins(self.model_server.counters))
        elif self.path == "/v1/models":
            model = {"id": "stand-in", "object": "model", "created": 0, "owned_by": "mnemolog"}
            self._send(_OK, {"object": "list", "data": [model]})
        else:
            self._send_error(404, f"there is nothing at {self.path}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self._post(body)
        except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            self._send_error(400, f"{type(error).__name__}: {error}")

    def do_DELETE(self) -> None:
        if self.path == "/fault":
            self.model_server.fault = None
            self._send(_OK, {})
        else:
            self._send_error(404, f"there is nothing at {self.path}")

    def _post(self, body: bytes) -> None:
        if self.path == "/fault":
            self.model_server.fault = msgspec.json.decode(body, type=Fault)
            self._send(_OK, {})
            return
        asked = msgspec.json.decode(body, type=dict[str, Any])
        if self.path == "/v1/chat/completions":
            request = chat_request(asked)
            answer = self.model_server.respond(request)
            if asked.get("stream"):
                self._answer(answer, wire.stream(asked, request, answer), "text/event-stream")
            else:
                self._answer(answer, msgspec.json.encode(wire.completion(asked, request, answer)))
        elif self.path == "/v1/embeddings":
            request = embeddings_request(asked)
            answer = self.model_server.respond(request)
            self._answer(answer, msgspec.json.encode(wire.vectors(asked, request, self.model_server.dimension)))
        else:
            self._send_error(404, f"there is nothing at {self.path}")

    def _answer(self, answer: Answer, body: bytes, content_type: str = _JSON) -> None:
        if answer.delay_s:
            time.sleep(answer.delay_s)
        if answer.status != _OK:
            self._send_error(answer.status, answer.error, retry_after_s=answer.retry_after_s)
        else:
            self._write(_OK, body, content_type, cut=answer.cut)

    def _send_error(self, status: int, message: str, *, retry_after_s: float | None = None) -> None:
        error = {"message": message, "type": "stand_in", "param": None, "code": None}
        self._write(status, msgspec.json.encode({"error": error}), retry_after_s=retry_after_s)

    def _send(self, status: int, document: Any) -> None:
        self._write(status, msgspec.json.encode(document))

    def _write(
        self,
        status: int,
        body: bytes,
        content_type: str = _JSON,
        *,
        retry_after_s: float | None = None,
        cut: bool = False,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        # A connection that is kept would be answered after the server has stopped.
        self.send_header("Connection", "close")
        if retry_after_s is not None:
            self.send_header("Retry-After", f"{retry_after_s:g}")
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the inherited name)
        """Says nothing: what was asked stands in the counters."""
