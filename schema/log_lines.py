"""The forms of log lines: text for people, one JSON object a line for collectors of logs."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Literal, cast, get_args

from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.times import show

LogFormat = Literal["text", "json"]

#: The setting; processes that a command starts find it in their environment.
SETTING = "MNEMOLOG_LOG_FORMAT"
TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
#: What a line may say beside its message, given to a logger as `extra`. Ids, counts and names, never what was said.
FIELDS = (
    *("space", "event_id", "position", "job", "kind", "attempt", "took_ms"),
    *("request_id", "method", "path", "status", "token", "tool"),
)


def log_format(environ: Mapping[str, str], given: str | None = None) -> LogFormat:
    """The format that was given, else that of the environment, else text. Raises InvalidInput for another one."""
    chosen = given or environ.get(SETTING) or "text"
    if chosen not in get_args(LogFormat):
        raise InvalidInput(f"{SETTING} is 'text' or 'json', not {chosen!r}")
    return cast("LogFormat", chosen)


def formatter(chosen: LogFormat, text: str = TEXT) -> logging.Formatter:
    """What turns log records into lines of a format; `text` is the pattern of lines of text."""
    return JsonFormatter() if chosen == "json" else logging.Formatter(text)


class JsonFormatter(logging.Formatter):
    """One JSON object on one line, in ASCII: time, level, logger, message, pid, the FIELDS that are given, trace."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        line: dict[str, Any] = {
            "time": show(int(record.created * 1000)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        line |= {name: _plain(getattr(record, name)) for name in FIELDS if getattr(record, name, None) is not None}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        # Escapes keep what a terminal or a collector could take for the end of the line out of it.
        return json.dumps(line, ensure_ascii=True)


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool)) else str(value)
