"""Log lines: in JSON one object a line, with what a line is about, and never with what was said."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.ids import Position
from mnemolog.schema.log_lines import FIELDS, JsonFormatter, formatter, log_format


def record(message: str, *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("mnemolog.writer", logging.WARNING, __file__, 1, message, args, None)
    made.__dict__.update(extra)
    return made


def test_a_line_says_when_how_bad_who_and_what() -> None:
    line = json.loads(JsonFormatter().format(record("writing space %s", "ada")))
    assert line["time"].endswith("Z")
    assert (line["level"], line["logger"], line["message"]) == ("warning", "mnemolog.writer", "writing space ada")


def test_a_line_names_what_it_is_about_in_fields_of_their_own() -> None:
    line = json.loads(JsonFormatter().format(record("parked", space="ada", position=Position(7, 1), job=None)))
    assert (line["space"], line["position"]) == ("ada", "7-1")
    assert "job" not in line


def test_what_is_not_a_known_field_stays_out_of_a_line() -> None:
    line = JsonFormatter().format(record("recalled", content="My locker is 17.", query="locker"))
    assert "locker" not in line
    assert not {"content", "query", "text"}.intersection(FIELDS)


@pytest.mark.parametrize("text", ["two\nlines", "\x1b[2J", "\u2028", "\ud800", '"}\n{"level": "error"'])
def test_no_message_can_end_its_line_or_steer_a_terminal(text: str) -> None:
    line = JsonFormatter().format(record("%s", text))
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["message"] == text


def test_a_trace_stands_within_its_line() -> None:
    made = record("ended")
    try:
        int("no good")
    except ValueError:
        made.exc_info = sys.exc_info()
    line = JsonFormatter().format(made)
    assert "\n" not in line
    assert "ValueError: invalid literal" in json.loads(line)["trace"]


def test_the_command_line_goes_before_the_environment() -> None:
    assert log_format({}) == "text"
    assert log_format({"MNEMOLOG_LOG_FORMAT": "json"}) == "json"
    assert log_format({"MNEMOLOG_LOG_FORMAT": "json"}, "text") == "text"


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(InvalidInput, match="MNEMOLOG_LOG_FORMAT"):
        log_format({"MNEMOLOG_LOG_FORMAT": "xml"})


def test_text_is_written_as_its_pattern_says() -> None:
    assert formatter("text", "%(name)s: %(message)s").format(record("hello")) == "mnemolog.writer: hello"
