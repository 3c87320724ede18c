"""Commands for those who build on mnemolog: dev model-server."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from mnemolog.gateway.cli.context import FILE
from mnemolog.gateway.model_server import ModelServer, read_script
from mnemolog.schema.errors import CannotListen

DEFAULT_PORT = 8399


@click.group()
def dev() -> None:
    """Tools for building on mnemolog and trying it out.

    \b
    mnemolog dev model-server
    """


@dev.command(name="model-server")
@click.option("--script", type=FILE, help="What to answer: JSON lines, described in docs/model-server.md.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=DEFAULT_PORT, show_default=True, help="0 takes a free one."
)
def model_server(script: Path | None, host: str, port: int) -> None:
    """Run a stand-in for a model's server, until Ctrl-C. Without a script it finds nothing in anything.

    It speaks chat completions and embeddings as OpenAI's API does, and needs no key.

    \b
    mnemolog dev model-server --script answers.jsonl
    OPENAI_BASE_URL=http://127.0.0.1:8399/v1 MNEMOLOG_MODEL=stand-in mnemolog up
    """
    answers = None if script is None else read_script(script)
    stops = {signal.SIGINT, signal.SIGTERM}
    # Blocked before the server's threads start, which inherit it: the signal waits for sigwait.
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    try:
        server = ModelServer(answers, host=host, port=port)
    except OSError as error:
        raise CannotListen(host, port, error) from error
    with server:
        click.echo(f"the model server answers at {server.url}; Ctrl-C stops it", err=True)
        signal.sigwait(stops)
    click.echo(f"asked: {server.counters.requests}", err=True)


COMMANDS = (dev,)
