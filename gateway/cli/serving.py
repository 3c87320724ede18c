"""The command that serves the HTTP API: serve."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import click

from mnemolog.gateway.cli.context import Context, pass_context
from mnemolog.gateway.http.app import create_app
from mnemolog.gateway.http.beside import Beside
from mnemolog.gateway.http.drain import Drain
from mnemolog.gateway.http.options import HttpOptions
from mnemolog.gateway.http.server import Server, run_until_signalled
from mnemolog.gateway.http.tokens import TokenFile
from mnemolog.gateway.listener import listening
from mnemolog.gateway.logs import say
from mnemolog.gateway.memory import Memories
from mnemolog.schema.errors import InvalidInput

_DEFAULTS = HttpOptions()
_ENVIRONMENT = "MNEMOLOG_HTTP_"

Command = TypeVar("Command", bound=Callable[..., Any])


def _limit(name: str, text: str, least: float = 1) -> Callable[[Command], Command]:
    """An option for a number among the settings of the server."""
    default = getattr(_DEFAULTS, name)
    kind: click.ParamType[Any] = click.IntRange(min=int(least)) if isinstance(default, int) else click.FloatRange(least)
    flag = "--" + name.replace("_", "-")
    return click.option(
        flag, name, type=kind, default=default, show_default=True, envvar=_ENVIRONMENT + name.upper(), help=text
    )


_LIMITS = (
    _limit("max_body_bytes", "The largest body of a request."),
    _limit("max_batch", "The most messages of a batch."),
    _limit("max_header_bytes", "The largest request line with its headers.", 1024),
    _limit("requests_per_s", "The most requests a second of each token, or of each address without one."),
    _limit("wrong_tokens_per_min", "The most wrong tokens a minute of each address."),
    _limit("request_s", "Seconds after which a request is given up.", 0.1),
    _limit("wait_s", "The most seconds that a request may wait for the writer.", 0),
    _limit("threads", "How many requests are at work at once; others wait."),
    _limit("streams", "The most streams of changes at once."),
    _limit("streams_per_caller", "The most streams of changes of each token or address at once."),
    _limit("heartbeat_s", "How often a stream says that it is alive, in seconds.", 0.1),
    _limit("stalled_s", "Seconds without progress after which a writer counts as stopped.", 0.1),
    _limit("notice_s", "When asked to stop: seconds of being not ready before connections are refused.", 0),
    _limit("drain_s", "When asked to stop: seconds that requests in flight have.", 0),
)


def _limits(command: Command) -> Command:
    for option in reversed(_LIMITS):
        command = option(command)
    return command


@click.command()
@click.option(
    "--host", default=_DEFAULTS.host, show_default=True, envvar=_ENVIRONMENT + "HOST", help="Where to listen."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=_DEFAULTS.port,
    show_default=True,
    envvar=_ENVIRONMENT + "PORT",
    help="The port; 0 takes a free one.",
)
@click.option("--no-token", is_flag=True, help="Ask nobody for a token: for this machine alone (loopback).")
@click.option(
    "--allow-host", "allow_hosts", multiple=True, help="A further name of this server in Host headers; again for more."
)
@click.option(
    "--allow-origin", "allow_origins", multiple=True, help="A site whose pages may ask (CORS); again for more."
)
@_limits
@pass_context
def serve(context: Context, /, no_token: bool, **given: Any) -> None:  # noqa: FBT001
    """Serve the HTTP API and the page until Ctrl-C or SIGTERM, which finish what is in flight. `mnemolog up` writes.

    Callers send tokens, which `mnemolog token add` makes; without one nobody is served unless --no-token is given.

    \b
    mnemolog serve --no-token
    mnemolog serve --host 0.0.0.0 --allow-host memory.example
    """
    options = HttpOptions(with_tokens=not no_token, **given)
    _check(context, options)
    drain = Drain()
    with (
        context.redis(),
        Memories(context.settings, context.models) as memories,
        listening(options.host, options.port) as listener,
    ):
        beside = Beside(memories)
        app = beside.measured(create_app(memories, options, beside.routes(), drain=drain))
        host = f"[{options.host}]" if ":" in options.host else options.host
        url = f"http://{host}:{listener.getsockname()[1]}"
        ready = f"mnemolog serves {context.settings.data} at {url}; Ctrl-C drains and stops"
        asyncio.run(run_until_signalled(Server(app, listener, options, drain), lambda: say(ready)))


def _check(context: Context, options: HttpOptions) -> None:
    """Raises InvalidInput for a server that would let in anybody, or nobody."""
    if not options.with_tokens:
        if not options.is_loopback:
            raise InvalidInput(
                f"--no-token lets in whoever reaches {options.host}: it is for loopback (127.0.0.1) alone"
            )
    elif not TokenFile(context.settings.data).all():
        raise InvalidInput(
            "there is no token, so nobody could ask: make one with `mnemolog token add`, or give --no-token"
        )


COMMANDS = (serve,)
