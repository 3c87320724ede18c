"""The installed command, asked about other times: what was true then, and what was known by then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from acceptance.memory import Memory

from mnemolog.schema.ids import episode_id

JOBS = (
    ("2026-03-09T09:00:00Z", "I work at Acme."),
    ("2026-03-16T09:00:00Z", "I started at Bolt."),
    ("2026-03-23T09:00:00Z", "I started at Coil."),
)
MESSAGES = dict(zip(map(episode_id, ("early-0", "late-0", "late-1")), (text for _, text in JOBS), strict=True))
BEFORE_ALL, AT_ACME, AT_BOLT = "2026-03-01T00:00:00Z", "2026-03-10T00:00:00Z", "2026-03-17T00:00:00Z"
QUERY = "Which company does Ada work at?"


def imported(memory: Memory, folder: Path, name: str, *said: tuple[str, str], **more: str) -> None:
    path = folder / f"{name}.jsonl"
    lines = (
        {"id": f"{name}-{number}", "session": name, "role": "user", "speaker": "Ada", "content": text, "at": at} | more
        for number, (at, text) in enumerate(said)
    )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    memory.run("import", path, "--drain")


class Lived:
    """A memory that learned of the last two jobs first, and of the first one in a later import."""

    def __init__(self, memory: Memory, folder: Path) -> None:
        self.memory = memory
        imported(memory, folder, "late", *JOBS[1:])
        self.before_import: str = memory.json("status")["position"]
        imported(memory, folder, "early", JOBS[0])
        self.end: str = memory.json("status")["position"]

    def companies(self, *options: str) -> list[str]:
        facts: list[dict[str, Any]] = self.memory.json("facts", *options)
        return [fact["object"] for fact in facts]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    folder = tmp_path_factory.mktemp("axes")
    return Lived(Memory(folder / "data"), folder)


def test_facts_tell_both_axes(lived: Lived) -> None:
    assert lived.companies() == ["coil"]
    assert lived.companies("--as-of", AT_ACME) == ["acme"]
    assert lived.companies("--as-of", AT_BOLT) == ["bolt"]
    assert lived.companies("--known-at", lived.before_import, "--as-of", AT_ACME) == []
    assert lived.companies("--known-at", lived.before_import, "--as-of", AT_BOLT) == ["bolt"]
    assert lived.companies("--known-at", lived.before_import) == ["coil"]


def test_recall_and_context_tell_what_was_true_then_and_was_said_by_then(lived: Lived) -> None:
    told = [result["content"] for result in lived.memory.ask(QUERY, "--as-of", AT_BOLT)]
    assert any("Bolt" in text for text in told)
    assert not any("Coil" in text for text in told)
    text = lived.memory.run("context", QUERY, "--as-of", AT_BOLT).stdout
    assert "Bolt" in text
    assert "Coil" not in text
    known = [result["content"] for result in lived.memory.ask(QUERY, "--known-at", lived.before_import)]
    assert any("Coil" in text for text in known)
    assert not any("Acme" in text for text in known)


def test_a_result_says_since_when_it_holds_and_what_it_took_the_place_of(lived: Lived) -> None:
    fact = next(found for found in lived.memory.ask(QUERY) if found["type"] == "semantic")
    assert fact["since"] == JOBS[2][0]
    assert [before["until"] for before in fact["replaced"]] == [JOBS[1][0], JOBS[2][0]]
    shown = lived.memory.run("recall", QUERY).stdout
    assert "since 2026-03-23; before that" in shown


def test_scenes_and_history_tell_what_was_so_then(lived: Lived) -> None:
    (scene,) = lived.memory.json("scenes", "--as-of", AT_BOLT)
    assert "Bolt" in scene["summary"]
    (fact,) = lived.memory.json("facts", "--as-of", AT_BOLT)
    links = lived.memory.json("history", fact["node_id"], "--as-of", AT_BOLT)
    assert [link["object"] for link in links] == ["acme", "bolt"]
    known = lived.memory.json("history", fact["node_id"], "--known-at", lived.before_import)
    assert [link["object"] for link in known] == ["bolt", "coil"]
    (acme,) = lived.memory.json("facts", "--as-of", AT_ACME)
    done = lived.memory.run("history", acme["node_id"], "--known-at", lived.before_import)
    assert (done.stdout, "was not known yet" in done.stderr) == ("", True)


def test_before_the_first_event_nothing_was_known(lived: Lived) -> None:
    for command in (("recall", QUERY), ("context", QUERY), ("facts",), ("scenes",)):
        done = lived.memory.run(*command, "--known-at", BEFORE_ALL)
        assert done.stdout == ""
        assert "knew nothing yet" in done.stderr
    assert lived.memory.json("facts", "--known-at", BEFORE_ALL) == []


def test_a_position_after_the_end_of_the_log_is_refused_with_the_last_one(lived: Lived) -> None:
    done = lived.memory.run("facts", "--known-at", "9999999999999-0", status=2)
    assert f"ends at {lived.end}" in done.stderr


def test_questions_about_the_past_leave_the_live_file_and_its_facts_alone(lived: Lived) -> None:
    before = lived.memory.json("verify")["hash"]
    with lived.memory.up():
        lived.memory.ask(QUERY, "--as-of", AT_BOLT)
        assert lived.companies("--known-at", lived.before_import) == ["coil"]
        lived.memory.run("wait")
    assert all(fact["access_count"] == 0 for fact in lived.memory.json("facts", "--all"))
    assert before != ""


def test_a_search_is_limited_by_time_session_speaker_scene_and_entity(lived: Lived) -> None:
    def contents(*options: str) -> set[str]:
        found = [result for name in ("Acme", "Bolt", "Coil") for result in lived.memory.ask(name, *options)]
        # A message that says what a live fact says is told with the fact.
        return {
            MESSAGES[node_id]
            for result in found
            for node_id in (result["node_id"], *result["same_as"])
            if node_id in MESSAGES
        }

    assert contents("--before", AT_ACME) == {JOBS[0][1]}
    assert contents("--after", AT_BOLT) == {JOBS[2][1]}
    assert contents("--session", "early") == {JOBS[0][1]}
    assert contents("--session", "early", "--session", "late") == {text for _, text in JOBS}
    assert contents("--speaker", "nobody") == set()
    assert contents("--speaker", "ADA") == {text for _, text in JOBS}
    assert contents("--entity", "coil") == {JOBS[2][1]}
    assert contents("--scene", "no such scene") == set()
    assert lived.memory.ask(QUERY, "--asker", "Ada", "--time-zone", "Asia/Tokyo")
    assert "no time zone" in lived.memory.run("recall", QUERY, "--time-zone", "Mars", status=2).stderr
    text = lived.memory.run("context", QUERY, "--before", AT_ACME).stdout
    assert "Acme" in text
    assert "Coil" not in text


def test_replay_and_questions_go_on_from_a_snapshot(lived: Lived) -> None:
    made = lived.memory.json("snapshot")
    assert made["events"] > 0
    assert lived.memory.json("replay")["equal"] is True
    assert lived.memory.json("replay", "--full")["events"] >= made["events"]
    assert lived.memory.json("replay", "--verify")["equal"] is True
    assert lived.companies("--known-at", lived.before_import) == ["coil"]


def test_escape_sequences_in_a_memory_do_not_reach_the_terminal(memory: Memory, tmp_path: Path) -> None:
    imported(memory, tmp_path, "hostile", ("2026-03-09T09:00:00Z", "I work at \x1b[31mAcme\x07."))
    for command in (("recall", "Acme"), ("facts", "--all"), ("scenes",)):
        shown = memory.run(*command).stdout
        assert not set(shown) & {"\x1b", "\x07"}
    assert "\\x1b[31mAcme" in memory.run("recall", "Acme").stdout
    for fact in memory.json("facts", "--all"):
        assert "\x1b" not in memory.run("history", fact["node_id"]).stdout


def test_what_is_said_of_requests_and_dead_letters_is_shown_without_escape_sequences(memory: Memory) -> None:
    with memory.up():
        memory.run("publish", "I work at Acme.", "--role", "user", "--session", "s", "--speaker", "Ada")
        told = memory.run("remember", "My \x1b[2J locker is number 17.", "--speaker", "Ada").stdout
        assert "\x1b" not in told
        assert "locker" in told
        forgotten = memory.run("forget", "locker", text="n\n")
        assert "\x1b" not in forgotten.stdout + forgotten.stderr
