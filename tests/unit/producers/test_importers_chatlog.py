"""Plain chat logs: forms of lines in many locales, the order of dates, sessions, ids, what is passed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from unit.producers.exports import checked, ids, messages, told, write_zip

from mnemolog.producers.importers.chatlog import ChatLogReader
from mnemolog.producers.importers.export_file import ExportFile
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.times import parse

LRM, NARROW = "\u200e", "\u202f"


def read(tmp_path: Path, text: str, **given: Any) -> ExportFile:
    path = tmp_path / "Chat with Ada.txt"
    path.write_bytes(text.encode())
    return checked(path, ChatLogReader(path, **{"zone": "UTC", **given}))


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("[14/08/2023, 09:15:32] Ada: Hi", "2023-08-14T09:15:32Z"),
        ("14/08/2023, 09:15 - Ada: Hi", "2023-08-14T09:15:00Z"),
        ("14.08.23, 09:15 - Ada: Hi", "2023-08-14T09:15:00Z"),
        ("14.8.2023 klo 9.15 - Ada: Hi", "2023-08-14T09:15:00Z"),
        ("[14.8.2023 klo 9.15.32] Ada: Hi", "2023-08-14T09:15:32Z"),
        (f"8/14/23, 9:15{NARROW}PM - Ada: Hi", "2023-08-14T21:15:00Z"),
        (f"{LRM}[8/14/23, 12:15:00{NARROW}AM] Ada: Hi", "2023-08-14T00:15:00Z"),
        ("14/8/23 9:15 p. m. - Ada: Hi", "2023-08-14T21:15:00Z"),
        ("2023-08-14 09:15 - Ada: Hi", "2023-08-14T09:15:00Z"),
        ("2023/08/14, 09:15 - Ada: Hi", "2023-08-14T09:15:00Z"),
        ("2023/8/14 下午9:15 - Ada: Hi", "2023-08-14T21:15:00Z"),
        ("2023년 8월 14일 오후 9:15, Ada : Hi", "2023-08-14T21:15:00Z"),
        ("[09:15, 14/08/2023] Ada: Hi", "2023-08-14T09:15:00Z"),
        ("[2023-08-14 09:15:32] Ada: Hi", "2023-08-14T09:15:32Z"),
        ("[2023-08-14 09:15:32] <Ada> Hi", "2023-08-14T09:15:32Z"),
        ("2023-08-14T09:15:32+02:00 <Ada> Hi", "2023-08-14T07:15:32Z"),
        ("2023-08-14 09:15:32\tAda\tHi", "2023-08-14T09:15:32Z"),
        ("2023-08-14 09:15:32 Ada: Hi", "2023-08-14T09:15:32Z"),
        ("١٤/٠٨/٢٠٢٣, ٠٩:١٥ - Ada: Hi", "2023-08-14T09:15:00Z"),
    ],
)
def test_a_line_of_every_known_form_is_a_message(tmp_path: Path, line: str, at: str) -> None:
    (said,) = messages(read(tmp_path, line))
    assert (said.speaker, said.content, said.role, said.occurred_at) == ("Ada", "Hi", "user", parse(at))


def test_a_message_goes_on_over_lines(tmp_path: Path) -> None:
    file = read(tmp_path, "[14/08/2023, 09:15] Ada: One\n\nTwo: three\r\n[14/08/2023, 09:16] Ben: x\n")
    assert told(file) == [("user", "Ada", "One\n\nTwo: three"), ("user", "Ben", "x")]


def test_notices_and_what_was_left_out_are_passed_over(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        f"""Exported by a phone
14/08/2023, 09:10 - Messages and calls are end-to-end encrypted.
14/08/2023, 09:11 - Ada changed the subject to "a: b"
14/08/2023, 09:12 - Ada: <Medien ausgeschlossen>
14/08/2023, 09:13 - Ada: IMG-1.jpg (file attached)
[14/08/2023, 09:14:00] Ada: {LRM}image omitted
14/08/2023, 09:15 - Ada: said <This message was edited>""",
    )
    assert told(file) == [("user", "Ada", "said")]
    assert file.skipped == {"before the first message": 1, "notice": 3, "no text": 2}


def test_a_log_of_irc_takes_its_days_from_its_own_lines(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        """--- Log opened Mon Jan 15 10:00:00 2024
10:01 <@ada> hi
10:02 -!- ben [x@y] has joined #c
10:03 * ada waves
--- Day changed Tue Jan 16 2024
00:05 < ben> night""",
    )
    assert [(said.speaker, said.occurred_at) for said in messages(file)] == [
        ("ada", parse("2024-01-15T10:01:00Z")),
        ("ben", parse("2024-01-16T00:05:00Z")),
    ]


def test_times_without_a_date_need_a_day(tmp_path: Path) -> None:
    text = "[10:01] ada: hi\n# 2024-01-16\n[10:02] ben: hello"
    assert read(tmp_path, text).findings.problems == [(1, "the time has no date: give the day of such lines with --at")]
    first, second = messages(read(tmp_path, text, default_at=parse("2024-01-15T00:00:00Z")))
    assert (first.occurred_at, second.occurred_at) == (parse("2024-01-15T10:01:00Z"), parse("2024-01-16T10:02:00Z"))


# ---- transcripts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "**User:** I live in Berlin.\n\n**Assistant:** Nice.\n**Note:** it rains.",
        "**User**: I live in Berlin.\n**Assistant**: Nice.\n**Note:** it rains.",
        "## User\nI live in Berlin.\n\n## Assistant\nNice.\n**Note:** it rains.",
        "User: I live in Berlin.\nAssistant: Nice.\n**Note:** it rains.",
    ],
)
def test_a_transcript_has_the_roles_that_it_names(tmp_path: Path, text: str) -> None:
    file = read(tmp_path, text, me="Ada", default_at=5)
    assert told(file) == [
        ("user", "Ada", "I live in Berlin."),
        ("assistant", "Assistant", "Nice.\n**Note:** it rains."),
    ]
    assert [said.occurred_at for said in messages(file)] == [5, 5]
    assert messages(file)[0].line < messages(file)[1].line  # type: ignore[operator]


def test_people_in_bold_who_speak_more_than_once_are_speakers(tmp_path: Path) -> None:
    file = read(tmp_path, "**Ada:** x\n**Ben:** y\n**Ada:** z\n**Ben:** w\n**Aside:** v", default_at=5)
    assert [speaker for _, speaker, _ in told(file)] == ["Ada", "Ben", "Ada", "Ben"]


def test_a_transcript_without_times_needs_one(tmp_path: Path) -> None:
    assert "--at" in read(tmp_path, "**User:** x").findings.problems[0][1]


# ---- dates -----------------------------------------------------------------------------------------------------


def days(tmp_path: Path, *dates: str, **given: Any) -> list[int | None]:
    text = "\n".join(f"{day}, 10:00 - Ada: x" for day in dates)
    return [said.occurred_at for said in messages(read(tmp_path, text, **given))]


@pytest.mark.parametrize(
    ("dates", "first"),
    [
        (("03/04/2024", "13/04/2024"), "2024-04-03"),
        (("03/04/2024", "04/13/2024"), "2024-03-04"),
        (("03/09/24", "03/10/24", "04/01/24"), "2024-03-09"),
        (("09/03/24", "10/03/24", "01/04/24"), "2024-03-09"),
        (("03.04.2024",), "2024-04-03"),
        (("24/01/31", "24/02/01"), "2024-01-31"),
        (("05/05/2024",), "2024-05-05"),
    ],
)
def test_the_whole_file_decides_which_number_is_the_day(tmp_path: Path, dates: tuple[str, ...], first: str) -> None:
    assert days(tmp_path, *dates)[0] == parse(f"{first}T10:00:00Z")


def test_what_nothing_decides_is_asked_and_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"03/04/2024 .* --date-order dmy or --date-order mdy"):
        days(tmp_path, "03/04/2024", "05/06/2024")
    assert days(tmp_path, "03/04/2024", order="dmy") == [parse("2024-04-03T10:00:00Z")]
    assert days(tmp_path, "03/04/2024", order="mdy") == [parse("2024-03-04T10:00:00Z")]


def test_a_date_that_is_none_is_a_bad_line(tmp_path: Path) -> None:
    text = "14/08/2023, 09:15 - Ada: x\n31/02/2024, 09:15 - Ada: y"
    assert read(tmp_path, text).findings.problems == [(2, "31/02/2024 is no date in the order dmy")]


def test_times_are_those_of_the_zone_with_its_summer(tmp_path: Path) -> None:
    text = "14.01.2024, 10:00 - Ada: x\n14.07.2024, 10:00 - Ada: y\n31.03.2024, 02:30 - Ada: z"
    winter, summer, gap = messages(read(tmp_path, text, zone="Europe/Berlin"))
    assert (winter.occurred_at, winter.utc_offset_min) == (parse("2024-01-14T09:00:00Z"), 60)
    assert (summer.occurred_at, summer.utc_offset_min) == (parse("2024-07-14T08:00:00Z"), 120)
    assert gap.occurred_at == parse("2024-03-31T00:30:00Z")
    assert "--time-zone" in read(tmp_path, text, zone=None).findings.problems[0][1]


# ---- sessions and ids ------------------------------------------------------------------------------------------


def test_a_conversation_ends_where_nobody_writes_for_eight_hours(tmp_path: Path) -> None:
    text = "14.08.2023, 09:15 - Ada: a\n14.08.2023, 17:14 - Ben: b\n15.08.2023, 01:14 - Ada: c"
    assert [said.session for said in messages(read(tmp_path, text))] == [
        "Chat with Ada 2023-08-14 09:15",
        "Chat with Ada 2023-08-14 09:15",
        "Chat with Ada 2023-08-15 01:14",
    ]


def test_a_longer_export_of_the_same_chat_has_the_same_ids_for_what_was_there(tmp_path: Path) -> None:
    text = "14.08.2023, 09:15 - Ada: ok\n14.08.2023, 09:15 - Ada: ok\n"
    first = ids(read(tmp_path, text))
    assert len(set(first)) == 2
    path = tmp_path / "Chat with Ada (1).txt"
    path.write_text(text + "14.08.2023, 09:16 - Ada: more", encoding="utf-8")
    assert ids(checked(path, ChatLogReader(path, zone="UTC")))[:2] == first
    assert not set(ids(read(tmp_path, text, chat="another"))) & set(first)


def test_logs_of_windows_and_zips_are_read(tmp_path: Path) -> None:
    text = "14.08.2023, 09:15 - Ada: Grüße"
    path = tmp_path / "utf16.txt"
    path.write_bytes(text.encode("utf-16"))
    assert told(checked(path, ChatLogReader(path, zone="UTC"))) == [("user", "Ada", "Grüße")]
    zipped = write_zip(tmp_path / "WhatsApp Chat - Ada.zip", _chat__txt="\ufeff" + text)
    (said,) = messages(checked(zipped, ChatLogReader(zipped, zone="UTC")))
    assert (said.content, said.session) == ("Grüße", "WhatsApp Chat - Ada 2023-08-14 09:15")


def test_bytes_that_are_no_text_are_a_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes("14.08.2023, 09:15 - Ada: Grüße\n14.08.2023, 09:16 - Ada: ok".encode("latin-1"))
    file = checked(path, ChatLogReader(path, zone="UTC"))
    assert [number for number, _ in file.findings.problems] == [1]
    assert file.findings.good == 1
