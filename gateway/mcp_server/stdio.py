"""The transport over standard input and output. Standard output carries the protocol and nothing else."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import anyio
import anyio.from_thread
import anyio.lowlevel
from anyio.streams.memory import MemoryObjectReceiveStream
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

_PART_BYTES = 2**16
#: A message that is longer is refused: no tool takes so much.
MOST_LINE_BYTES = 8 * 1024 * 1024


async def serve(server: Server[Any]) -> None:
    """Serves one client until its end of standard input closes."""
    with _protocol_alone() as output:
        lines = _Lines(sys.stdin.fileno())
        # What the SDK takes are files of anyio; of input it asks for lines only.
        async with stdio_server(lines, anyio.wrap_file(output)) as (read, write):  # type: ignore[arg-type]
            await server.run(read, write, server.create_initialization_options())


@contextmanager
def _protocol_alone() -> Iterator[TextIO]:
    """A file for the protocol; what anything else prints goes to standard error meanwhile."""
    sys.stdout.flush()
    own = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(own, "w", encoding="utf-8", newline="\n", closefd=False) as output:
            yield output
    finally:
        os.dup2(own, 1)
        os.close(own)


class _Lines:
    """Lines of a descriptor. They are read in a daemon thread: a read cannot be called off, and must hold up no end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def __aiter__(self) -> AsyncIterator[str]:
        send, receive = anyio.create_memory_object_stream[str](0)
        token = anyio.lowlevel.current_token()

        def pump() -> None:
            try:
                for line in _lines(self._descriptor):
                    anyio.from_thread.run(send.send, line, token=token)
                anyio.from_thread.run(send.aclose, token=token)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.RunFinishedError, OSError):
                return

        threading.Thread(target=pump, name="standard input", daemon=True).start()
        async for line in _all(receive):
            yield line


async def _all(receive: MemoryObjectReceiveStream[str]) -> AsyncIterator[str]:
    async with receive:
        async for line in receive:
            yield line


def _lines(descriptor: int) -> Iterator[str]:
    """The lines of a descriptor as they come; one that is too long is an empty object, which is no message."""
    kept = bytearray()
    too_long = False
    while part := os.read(descriptor, _PART_BYTES):
        *whole, rest = part.split(b"\n")
        for end in whole:
            kept += end
            yield "{}\n" if too_long or len(kept) > MOST_LINE_BYTES else kept.decode("utf-8", "replace") + "\n"
            kept.clear()
            too_long = False
        kept += rest
        if len(kept) > MOST_LINE_BYTES:
            kept.clear()
            too_long = True
