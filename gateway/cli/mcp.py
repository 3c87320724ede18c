"""The command that serves the memory to MCP clients: mcp."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import anyio
import click

from mnemolog.gateway import logs
from mnemolog.gateway.cli.context import Context, pass_context
from mnemolog.gateway.http.drain import Drain
from mnemolog.gateway.http.options import DEFAULT_HOST, HttpOptions, is_loopback
from mnemolog.gateway.http.server import Server, run_until_signalled
from mnemolog.gateway.http.tokens import TokenFile
from mnemolog.gateway.listener import listening
from mnemolog.gateway.mcp_server import stdio, web
from mnemolog.gateway.mcp_server.caller import Caller
from mnemolog.gateway.mcp_server.companion import companion
from mnemolog.gateway.mcp_server.server import MemoryServer
from mnemolog.gateway.memory.memories import Memories
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.ids import EventIds

DEFAULT_PORT = 8422


@click.command()
@click.option("--speaker", help="Who speaks and asks where a call names nobody: a stable name or id.")
@click.option("--session", help="The session of messages that name none. [default: a new one]")
@click.option("--up", "with_up", is_flag=True, help="Run `mnemolog up` beside it while no other writer runs.")
@click.option("--http", "over_http", is_flag=True, help="Serve over HTTP, not over standard input and output.")
@click.option("--host", default=DEFAULT_HOST, show_default=True, help="With --http: the address to listen at.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="With --http: the port."
)
@click.option("--no-token", is_flag=True, help="With --http: ask for no token; on this machine's own address only.")
@click.option("--allow-host", "allow_hosts", multiple=True, help="With --http: a further name of this server.")
@pass_context
def mcp(
    context: Context,
    speaker: str | None,
    session: str | None,
    with_up: bool,  # noqa: FBT001
    over_http: bool,  # noqa: FBT001
    host: str,
    port: int,
    no_token: bool,  # noqa: FBT001
    allow_hosts: tuple[str, ...],
) -> None:
    """Serve the memory to clients of the Model Context Protocol: as tools, and its facts and topics as resources.

    Started by a client it speaks over standard input and output, until that closes. With --http it listens at /mcp,
    and asks for a token of `mnemolog token add`. Reading needs the file only; what is remembered needs a Redis, and
    counts as soon as a writer runs: `mnemolog up`, or --up here.

    \b
    mnemolog mcp --up
    mnemolog --space ada mcp --speaker Ada
    mnemolog mcp --http --no-token
    """
    settings = context.settings
    caller = Caller(session=session or f"mcp-{EventIds().mint()}", speaker=speaker)
    # What it says of each connection is for those who look for a fault in it.
    logging.getLogger("mcp").setLevel(logging.WARNING)
    options = HttpOptions(host=host, port=port, with_tokens=not no_token, allow_hosts=allow_hosts)
    if over_http:
        _check(context, options)
    with (
        companion(settings, wanted=with_up) as beside,
        # Closed first: what it has still to send needs the Redis of the other.
        Memories(settings, context.models) as memories,
    ):
        served = MemoryServer(
            memories,
            settings.space,
            caller,
            local=not over_http or no_token,
            before_writing=beside.wait if beside else lambda: None,
        )
        if over_http:
            _serve_http(context, served, options)
        else:
            if sys.stdin.isatty():
                logs.say("this speaks to a client that starts it, not to people; --http listens for clients instead")
            with _ended_by_signals():
                anyio.run(stdio.serve, served.server())


def _check(context: Context, options: HttpOptions) -> None:
    """Raises InvalidInput for a server that everybody could ask."""
    if not options.with_tokens and not is_loopback(options.host):
        raise InvalidInput(f"without tokens {options.host} would let everybody in: --no-token is for 127.0.0.1 only")
    if options.with_tokens and not TokenFile(context.settings.data).all():
        raise InvalidInput(
            "there is no token yet: make one with `mnemolog token add NAME --space SPACE --scope write`, or give "
            "--no-token, which lets every program on this machine in"
        )


def _serve_http(context: Context, served: MemoryServer, options: HttpOptions) -> None:
    app = web.create_app(served.server(), context.settings.space, options, TokenFile(context.settings.data))
    with listening(options.host, options.port) as listener:
        host = f"[{options.host}]" if ":" in options.host else options.host
        url = f"http://{host}:{listener.getsockname()[1]}{web.PATH}"
        told = f"MCP for space {context.settings.space} at {url}; Ctrl-C stops"
        anyio.run(run_until_signalled, Server(app, listener, options, Drain()), lambda: logs.say(told))


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """A client ends its server by closing standard input, or by SIGTERM where that is not enough: no error."""

    def end(_: int, __: FrameType | None) -> NoReturn:
        sys.exit(0)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


COMMANDS = (mcp,)
