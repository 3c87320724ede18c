"""What long-running commands write to standard error: log lines, and in JSON nothing else."""

from __future__ import annotations

import logging
import os
import sys
import threading
from types import TracebackType

import click

from mnemolog.schema.log_lines import SETTING, JsonFormatter, LogFormat, formatter

log = logging.getLogger("mnemolog")


def configure(chosen: LogFormat, *, verbose: bool) -> None:
    """Sends log lines of a format to standard error, from this process and from those it starts."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(chosen))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler])
    os.environ[SETTING] = chosen
    if chosen == "json":
        logging.captureWarnings(capture=True)
        sys.excepthook = _log_uncaught
        threading.excepthook = _log_uncaught_in_thread


def say(message: str) -> None:
    """Tells whoever started the command something: as it is, or as a log line where these are JSON."""
    if _is_json():
        log.info("%s", message)
    else:
        click.echo(message, err=True)


def complain(message: str) -> None:
    """Tells what is wrong, as `say` does."""
    if _is_json():
        log.error("%s", message)
    else:
        click.echo(f"mnemolog: {message}", err=True)


def _is_json() -> bool:
    return any(isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger().handlers)


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    log.critical("ended by %s", kind.__name__, exc_info=(kind, error, trace))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    error = args.exc_value or args.exc_type()
    log.critical("a thread ended by %s", args.exc_type.__name__, exc_info=(args.exc_type, error, args.exc_traceback))
