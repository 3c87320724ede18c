"""How people are told how a space stands."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mnemolog.gateway.cli.standing import lines_of
from mnemolog.gateway.memory.standing import Log, Status
from mnemolog.projections.erasing import Erasing
from mnemolog.projections.indexes.vectors import VectorState
from mnemolog.projections.spending import Spent
from mnemolog.projections.status import ArchiveFacts, Holder, Retention, StreamFacts

AT_WORK = Status(
    space="default",
    position="1757000000000-0",
    lag_events=0,
    durability="process",
    jobs_waiting={},
    events=5,
    sessions=2,
    hash="1f0c",
    nodes={"episodic": 3, "semantic": 1},
    edges={},
    vectors=VectorState("wordllama", 256, 4, 0),
    jobs={"due": 0, "failed": 0, "done": 2, "void": 0},
    last_failure=None,
    requests_pending=0,
    dead_letters=0,
    unknown_language=0,
    writer=Holder("here", 7, 1, 0.5),
    spent_by_day={"2026-11-21": Spent()},
    log=Log(
        archive=ArchiveFacts(5, 1, 2_000, "1757000000000-0"),
        stream=StreamFacts(5, None, "1757000000000-0", None, None),
        redis="running",
        retention=Retention(0, 0),
    ),
    file_bytes=250_000,
)


def told(**changes: Any) -> dict[str, str]:
    """What is said under each title."""
    found: dict[str, str] = {}
    title = ""
    for line in lines_of(msgspec.structs.replace(AT_WORK, **changes)):
        title = line[:13].strip() or title
        found[title] = f"{found.get(title, '')} {line[14:]}".strip()
    return found


def test_a_space_at_work_is_told_in_a_line_for_each_question() -> None:
    assert told() == {
        "space": "default, folded up to 1757000000000-0",
        "lag": "none",
        "writer": "process 7 on here, which said so 0.5 s ago",
        "Redis": "running",
        "acknowledged": "survives the death of any process; a power cut may cost the last second",
        "holds": "3 messages in 2 sessions, 1 fact, past ones included 4 vectors of 256 dimensions by wordllama "
        "250.0 KB on disk; hash 1f0c",
        "jobs": "0 due, 0 failed, 2 done, 0 void",
        "log": "5 events in the archive, 2.0 KB 5 events in Redis",
    }


@pytest.mark.parametrize(
    ("title", "part", "changes"),
    [
        ("lag", "unknown", {"lag_events": None}),
        ("lag", "2 events published and not folded yet", {"lag_events": 2}),
        ("writer", "`mnemolog up` runs one", {"writer": Holder("", 0, 1, None)}),
        ("writer", "`mnemolog up` runs one", {"writer": msgspec.UNSET}),
        ("acknowledged", "survives a power cut", {"durability": "power"}),
        ("acknowledged", "survives nothing", {"durability": "nothing"}),
        ("holds", "nothing yet", {"events": msgspec.UNSET}),
        ("holds", "3 not yet", {"vectors": VectorState("wordllama", 256, 1, 3)}),
        ("holds", "2 messages of a language", {"unknown_language": 2}),
        ("jobs", "because: no answer", {"last_failure": "no answer"}),
        ("jobs", "2 of those due wait: over budget", {"jobs_waiting": {"a": "over budget", "b": "over budget"}}),
        ("for you", "1 request made in talk", {"requests_pending": 1}),
        ("for you", "3 dead letters", {"dead_letters": 3}),
        ("spent", "1 call, 20 + 3 tokens, $0.0100", {"spent_by_day": {"2026-11-21": Spent(1, 20, 3, 0.01)}}),
        ("erasing", "cleaned once more at T", {"erasing": Erasing(under_way=None, cleaning_due="T")}),
    ],
)
def test_what_needs_a_look_is_said_with_what_to_do(title: str, part: str, changes: dict[str, Any]) -> None:
    assert part in told(**changes)[title]
