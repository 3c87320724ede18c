"""What comes in at a boundary: any text, number or bytes is taken as data, or refused by name."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from mnemolog.gateway.cli.main import cli
from mnemolog.producers.importer import ImportFile, parse_line
from mnemolog.producers.messages import Message, outgoing, payload_of
from mnemolog.producers.spool import Spool
from mnemolog.schema.codec import decode
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.errors import InvalidInput, MnemologError, Undecodable
from mnemolog.schema.ids import Position, check_space, is_space
from mnemolog.schema.keys import space_of, stream
from mnemolog.schema.settings import from_environment, space_folder

SEED = 20261121
HOSTILE = [
    *("", " ", ".", "..", "../x", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "~", "~root", "C:\\x", "a..b"),
    *("a\x00b", "\x00", "\n", "a\nb", "\r\nFLUSHALL\r\n", "\x1b[2J", "\x7f", "\u202etxt.exe", "\ud800", "\ufeff"),
    *(
        "'; DROP TABLE nodes; --",
        '" OR 1=1',
        "%s%n",
        "{0.__class__}",
        "${HOME}",
        "$(id)",
        "`id`",
        "| sh",
        "-h",
        "--help",
    ),
    *("*", "?", "[a-z]", "mnemolog:{x}:events", "{home}", "a}b", "NaN", "-0", "1e999", "0x10", "１２", "٣", "9" * 400),
    *("a" * 65, "a" * 10_000, "é" * 200, "👍" * 100, "ﷺ" * 300, "I" * 201, "AND", "C++", "(", '"', "NEAR(a b)"),
    *("9-0-0", "-1-0", "18446744073709551616-0", "99999999999999999999-99999999999999999999", "1757000000000-"),
]
CHANCE = random.Random(SEED)
RANDOM = [
    "".join(
        CHANCE.choices(
            [*string.printable, "\x00", "\ud9ab", "é", "字", "𝔘", "/", ".", "{", "}"], k=CHANCE.randrange(1, 90)
        )
    )
    for _ in range(400)
]
NAMES = [*HOSTILE, *RANDOM]
NUMBERS = [
    -1,
    0,
    2**31,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    10**30,
    1.5,
    float("nan"),
    float("inf"),
    True,
    None,
    [],
    {},
    b"x",
]


def tried(action: Callable[[], Any], *allowed: type[Exception]) -> Any:
    """What an action gives, or None where it refuses by name; any other error fails the test."""
    try:
        return action()
    except (InvalidInput, *allowed):
        return None


def test_a_name_of_a_space_stays_in_its_folder_and_its_keys(tmp_path: Path) -> None:
    for name in NAMES:
        good = tried(lambda name=name: check_space(name))
        assert (good is not None) == is_space(name)
        if good is None:
            assert tried(lambda name=name: space_folder(tmp_path, name)) is None
            assert tried(lambda name=name: Spool(tmp_path / "spool", name)) is None
            continue
        assert space_folder(tmp_path, name).resolve().parent == (tmp_path / "spaces").resolve()
        assert space_of(stream(name).encode()) == name
        assert Spool(tmp_path / "spool", name).path.parent == tmp_path / "spool"
    assert not (tmp_path / "spool").exists() or all(is_space(path.stem) for path in (tmp_path / "spool").iterdir())


def test_keys_of_other_programs_are_no_spaces() -> None:
    for name in NAMES:
        raw = name.encode("utf-8", "surrogatepass")
        for key in (raw, b"mnemolog:{" + raw + b"}:events", b"mnemolog:" + raw):
            found = space_of(key)
            assert found is None or (is_space(found) and stream(found).encode() == key)


def test_positions_are_read_or_refused() -> None:
    for name in NAMES:
        found = tried(lambda name=name: Position.parse(name))
        assert found is None or (found.ms >= 0 and found.seq >= 0)


@pytest.mark.parametrize("field", ["session", "speaker", "event_id", "content", "role", "source_type", "occurred_at"])
def test_any_text_in_a_message_is_stored_as_it_is_or_refused(field: str) -> None:
    for name in NAMES:
        fields = {"role": "user", "content": "x", "session": "s", field: name}
        event_id = fields.pop("event_id", "e")
        event = tried(lambda fields=fields, event_id=event_id: outgoing(event_id, 1, payload_of(Message(**fields))))
        if event is not None:
            decoded = decode(event.body)
            stored = decoded.id if field == "event_id" else getattr(decoded.payload, field)
            assert stored == name or field == "occurred_at"


@pytest.mark.parametrize("field", ["seq", "occurred_at", "metadata", "role", "session", "content", "speaker"])
@pytest.mark.parametrize("value", NUMBERS, ids=repr)
def test_any_value_in_a_message_is_stored_or_refused(field: str, value: Any) -> None:
    fields = {"role": "user", "content": "x", "session": "s", field: value}
    event = tried(lambda: outgoing("e", 1, payload_of(Message(**fields))))
    assert event is None or decode(event.body).id == "e"


def test_any_metadata_is_stored_or_refused() -> None:
    deep: Any = "x"
    for _ in range(5_000):
        deep = [deep]
    endless: dict[str, Any] = {}
    endless["again"] = endless
    for metadata in [{name: name} for name in NAMES] + [
        {"a": value} for value in [*NUMBERS, deep, endless, {1: 2}, object()]
    ]:
        event = tried(
            lambda metadata=metadata: outgoing(
                "e", 1, payload_of(Message(role="user", content="x", session="s", metadata=metadata))
            )
        )
        assert event is None or decode(event.body).id == "e"


def test_any_line_of_a_file_is_imported_or_refused(tmp_path: Path) -> None:
    good = b'{"session":"s","role":"user","content":"hello","at":1773050400000,"seq":1,"id":"e","metadata":{"a":[1]}}'
    lines = [name.encode("utf-8", "surrogatepass") for name in NAMES]
    for _ in range(3_000):
        line = bytearray(good)
        for _ in range(CHANCE.randrange(1, 4)):
            place = CHANCE.randrange(len(line))
            match CHANCE.randrange(3):
                case 0:
                    line[place] = CHANCE.randrange(256)
                case 1:
                    del line[place : place + CHANCE.randrange(1, 9)]
                case _:
                    line[place:place] = CHANCE.choice([b"[" * 200, b'"', b"\\ud800", b"1e999", b"\xff", b"{}", b"null"])
            line = line or bytearray(b"{")
        lines.append(bytes(line))
    for number, line in enumerate(lines, 1):
        event = tried(lambda line=line, number=number: parse_line(line, number, None))
        assert event is None or event.event_id
    (tmp_path / "lines.jsonl").write_bytes(b"\n".join(lines))
    file = ImportFile(tmp_path / "lines.jsonl")
    file.check()
    assert file.good == sum(1 for _ in file.events())


def test_any_bytes_on_the_stream_are_an_event_or_no_event() -> None:
    good = outgoing("e", 1, payload_of(Message(role="user", content="x", session="s"))).body
    for _ in range(3_000):
        body = bytearray(good)
        for _ in range(CHANCE.randrange(1, 5)):
            body[CHANCE.randrange(len(body))] = CHANCE.randrange(256)
        event = tried(lambda body=body: decode(bytes(body)), Undecodable, MnemologError)
        assert event is None or event.id


@pytest.mark.parametrize(
    "name",
    ["MNEMOLOG_SPACE", "MNEMOLOG_DURABILITY", "MNEMOLOG_LEASE_S", "MNEMOLOG_RECALL_LOG", "MNEMOLOG_SNAPSHOT_EVENTS"],
)
def test_any_setting_is_taken_or_refused(name: str) -> None:
    for value in NAMES:
        if "\x00" not in value:
            tried(lambda value=value: from_environment({name: value, "MNEMOLOG_DATA": "/nowhere"}))


def test_any_url_of_redis_is_taken_or_refused_without_being_shown() -> None:
    told = []
    for value in NAMES:
        urls = (
            value,
            f"redis://{value}",
            f"redis://u:s3cret{value}@h:1",
            f"redis://u:s3cret@h:{value}",
            f"unix://{value}",
        )
        for url in urls:
            try:
                log_client(url).close()
            except InvalidInput as error:
                told.append(str(error))
    assert len(told) > len(NAMES)
    assert [message for message in told if "s3cret" in message] == []


COMMANDS: list[Callable[[str], list[str]]] = [
    lambda value: ["--space", value, "status"],
    lambda value: ["dead-letters", "show", value],
    lambda value: ["jobs", "show", value],
    lambda value: ["history", value],
    lambda value: ["why", value],
    lambda value: ["facts", "--as-of", value],
    lambda value: ["facts", "--subject", value],
    lambda value: ["recall", "--", value],
    lambda value: ["recall", "tea", "--as-of", value],
    lambda value: ["context", "tea", "--budget", value],
    lambda value: ["spool", "status", "--spool-bytes", value, "--spool", "s"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command("…")))
def test_any_argument_of_a_command_is_taken_or_refused_and_makes_no_file(
    command: Callable[[str], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MNEMOLOG_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("MNEMOLOG_REDIS_URL", raising=False)
    for value in NAMES:
        if "\x00" in value:
            continue  # no command line can hold one
        answer = CliRunner().invoke(cli, command(value))
        assert answer.exception is None or isinstance(
            answer.exception, (MnemologError, SystemExit, click.ClickException)
        ), (
            value,
            answer.exc_info,
        )
    assert sorted(path.name for path in tmp_path.iterdir()) in ([], ["s"])
