"""The `mnemolog` command: global options, the list of commands, and how errors end it."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

import apsw
import click

from mnemolog.gateway import logs
from mnemolog.gateway.cli.commands import Chapters, Commands
from mnemolog.gateway.cli.context import Context
from mnemolog.gateway.cli.telling import shown
from mnemolog.schema.endpoint import without_password
from mnemolog.schema.errors import DamagedFile, MnemologError
from mnemolog.schema.log_lines import log_format as log_format_of
from mnemolog.schema.model_settings import model_settings
from mnemolog.schema.settings import from_environment

_DAMAGE = (apsw.CorruptError, apsw.NotADBError)
_REFUSED_BY_SQLITE = (apsw.BusyError, apsw.CantOpenError, apsw.FullError, apsw.IOError, apsw.ReadOnlyError)

_EPILOG = """\b
Examples:
  mnemolog up                                         run everything on this machine
  mnemolog publish "I prefer Python." --role user --session monday --speaker Ada
  mnemolog recall "Which language does Ada like?"
  mnemolog import chats.jsonl --drain
  mnemolog replay --verify

Times are ISO 8601 with an offset (2026-03-09T10:00:00+01:00), UTC milliseconds, or `now`.
"""


@click.group(
    cls=Chapters,
    commands=Commands(),
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of memories. [env MNEMOLOG_DATA; default ~/.mnemolog]",
)
@click.option("--space", help="Name of the memory. [env MNEMOLOG_SPACE; default 'default']")
@click.option(
    "--redis",
    "redis_url",
    metavar="URL",
    help="Redis or Valkey, 6.2 or later. Without it one is run for the data folder. [env MNEMOLOG_REDIS_URL]",
)
@click.option(
    "--log-format",
    type=click.Choice(("text", "json")),
    help="How log lines are written. [env MNEMOLOG_LOG_FORMAT; default text]",
)
@click.option("-v", "--verbose", is_flag=True, help="Say more on standard error.")
@click.version_option(package_name="mnemolog", prog_name="mnemolog")
@click.pass_context
def cli(
    ctx: click.Context,
    data: Path | None,
    space: str | None,
    redis_url: str | None,
    log_format: str | None,
    verbose: bool,  # noqa: FBT001
) -> None:
    """Long-term memory for AI agents, kept as an event log."""
    logs.configure(log_format_of(os.environ, log_format), verbose=verbose)
    # Says of each new attempt only that there is one; what is wrong is in the error that ends them.
    logging.getLogger("stamina").setLevel(logging.NOTSET if verbose else logging.ERROR)
    if redis_url and without_password(redis_url) != redis_url:
        hint = "a password on a command line can be read by everybody on this machine: use MNEMOLOG_REDIS_URL"
        logs.complain(hint)
    settings = from_environment(os.environ, data=data, space=space, redis_url=redis_url)
    ctx.obj = Context(settings, model_settings(os.environ))


def main() -> None:
    """Runs the command line; errors raised on purpose end it with their message and their exit status.

    So do those of the machine: a file that is damaged, or that cannot be opened, read or written.
    """
    # Whatever is written, by the programs started from here too, is a memory or a piece of one: for its owner alone.
    os.umask(0o077)
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Python would end at once and leave the embedded Redis behind. `nohup` is respected.
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _leave)
    try:
        cli(prog_name="mnemolog")
    except MnemologError as error:
        _end(str(error), error.exit_status)
    except _DAMAGE as error:
        _end(f"the space's file is damaged ({error}): build it again with `mnemolog replay`", DamagedFile.exit_status)
    except (OSError, *_REFUSED_BY_SQLITE) as error:
        _end(str(error), MnemologError.exit_status)


def _leave(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def _end(message: str, status: int) -> NoReturn:
    logs.complain(shown(message))
    sys.exit(status)
