"""The command that stands between chat frontends and a model: proxy."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Any

import click

from mnemolog.gateway.cli.context import Context, pass_context
from mnemolog.gateway.listener import listening
from mnemolog.gateway.logs import say
from mnemolog.gateway.memory import Memories
from mnemolog.gateway.proxy.app import create_app
from mnemolog.gateway.proxy.options import ERRANDS, Options
from mnemolog.gateway.proxy.permits import Permits
from mnemolog.gateway.proxy.server import serve
from mnemolog.projections.context import DEFAULT_BUDGET, LEAST_BUDGET
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.events import ROLES

PORT = 8421
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_MS = 1_000
_MIB = 1024 * 1024


def _regex(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    for pattern in value:
        try:
            re.compile(pattern)
        except re.error as error:
            raise click.BadParameter(f"{pattern!r} is not a regular expression: {error}") from None
    return value


@click.command()
@click.option("--upstream", required=True, metavar="URL", help="What answers, such as https://api.openai.com/v1.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="The port; 0 for any.")
@click.option("--tokens", is_flag=True, help="Ask for a token (`mnemolog token add`) in the header Mnemolog-Token.")
@click.option("--allow-remote", is_flag=True, help="Listen at an address that others reach although it asks nobody.")
@click.option(
    "--budget",
    type=click.IntRange(min=LEAST_BUDGET),
    default=DEFAULT_BUDGET,
    show_default=True,
    help="The most tokens of a context.",
)
@click.option("--session", help="The session of conversations that name none; else they are told by how they begin.")
@click.option("--speaker", help="Who the user is, where a request does not say.")
@click.option("--session-header", metavar="NAME", help="A header in which the frontend names its conversations.")
@click.option(
    "--user-is",
    type=click.Choice(("speaker", "session", "space", "nothing")),
    default="speaker",
    show_default=True,
    help="What the field `user` of a request names.",
)
@click.option("--allow-space-header", is_flag=True, help="Let each request choose the space (Mnemolog-Space).")
@click.option(
    "--role",
    "roles",
    type=click.Choice(ROLES),
    multiple=True,
    default=("user", "assistant"),
    show_default=True,
    help="Whose messages are published.",
)
@click.option(
    "--errand",
    "errands",
    multiple=True,
    default=ERRANDS,
    show_default=True,
    callback=_regex,
    help="How the last message of a request begins that is the frontend's own and none of the memory's.",
)
@click.option("--allow-host", "hosts", multiple=True, help="A host name more by which clients may call this.")
@click.option("--allow-origin", "origins", multiple=True, help="A web page that may use the memory beside local ones.")
@click.option("--recall-ms", type=click.IntRange(min=1), default=500, show_default=True, help="The wait for a context.")
@click.option("--timeout", type=click.FloatRange(min=1), default=600.0, show_default=True, help="Seconds of silence.")
@click.option("--max-body", type=click.IntRange(min=1), default=32, show_default=True, help="MiB of a chat request.")
@click.option("--drain", type=click.FloatRange(min=1), default=30.0, show_default=True, help="Seconds to end in.")
@pass_context
def proxy(context: Context, /, **given: Any) -> None:
    """Give a memory to whatever talks to an OpenAI-compatible endpoint, until Ctrl-C.

    A client that calls http://127.0.0.1:8421/v1 in place of the upstream has what is known about the user's last
    message put in front of it, and all that is said published once. All else is passed on as it comes, keys too.
    Without its memory the chat goes on; the header Mnemolog-Memory of each answer says how it was. Run `mnemolog up`
    beside it.

    \b
    mnemolog proxy --upstream https://api.openai.com/v1 --speaker Ada
    """
    host = given["host"]
    if not (_is_loopback(host) or given["tokens"] or given["allow_remote"]):
        raise InvalidInput(f"other machines reach {host}, and nobody is asked for a token: --tokens, or --allow-remote")
    options = _options(context, given)
    with Memories(context.settings, context.models) as memories:
        permits = Permits(context.settings.data) if given["tokens"] else None
        app = create_app(memories, options, permits=permits)
        with listening(host, given["port"]) as listener:
            port = listener.getsockname()[1]
            shown = f"[{host}]" if ":" in host else host

            def ready() -> None:
                say(f"mnemolog proxy is up: http://{shown}:{port}/v1 before {options.upstream}")

            serve(app, listener, given["drain"], ready)


def _options(context: Context, given: dict[str, Any]) -> Options:
    names = _LOOPBACK_NAMES if _is_loopback(given["host"]) else frozenset()
    return Options(
        upstream=given["upstream"],
        space=context.settings.space,
        session=given["session"],
        speaker=given["speaker"],
        budget=given["budget"],
        roles=frozenset(given["roles"]),
        user_is=given["user_is"],
        session_header=given["session_header"],
        allow_space=given["allow_space_header"] or given["tokens"],
        errands=given["errands"],
        hosts=names | {name.lower() for name in given["hosts"]},
        origins=frozenset(given["origins"]),
        recall_s=given["recall_ms"] / _MS,
        upstream_s=given["timeout"],
        most_body_bytes=given["max_body"] * _MIB,
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


COMMANDS = (proxy,)
