"""The recall log on a real stream: a past answer is given again as it was, and no more is kept of it than is wished."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
from click.testing import CliRunner, Result
from support.stories import append, drain, event, file_hashes, rows

from mnemolog.gateway.cli.main import cli
from mnemolog.projections.indexes.embedder import WordLlamaEmbedder
from mnemolog.projections.lines import rendering
from mnemolog.projections.search.ranking import WEIGHTS
from mnemolog.schema import keys
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.ids import START, episode_id
from mnemolog.schema.log import event_of
from mnemolog.schema.requests import NodesRecalled, VerdictGiven
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.workers.rebuilding import known, replay
from mnemolog.workers.writer.ingest import Ingest

QUESTION = "Where does Ada work, and what does she drink?"
EMBEDDER = WordLlamaEmbedder()


class Home:
    """A memory whose commands and whose writer run in this process, by turns."""

    def __init__(self, data: Path, url: str, client: redis_py.Redis) -> None:
        self.settings = Settings(data=data)
        self.client = client
        self._url = url

    def run(self, *args: str, url: str | None = None, text: str | None = None, **env: str) -> Result:
        """What a command prints, `text` on its standard input. Raises what it ends with, other than a status."""
        variables = {f"MNEMOLOG_{name}": value for name, value in env.items()}
        options = ("--data", str(self.settings.data), "--redis", url or self._url)
        return CliRunner(env=variables).invoke(cli, [*options, *args], input=text, catch_exceptions=False)

    def json(self, *args: str, **env: str) -> Any:
        return json.loads(self.run(*args, "--json", **env).stdout)

    def fold(self) -> None:
        """Lets a writer fold what was published, once."""
        writer = Ingest(self.client, EMBEDDER)
        writer.hold(self.settings)
        drain(writer)
        assert not writer.failures

    def say(self, text: str, speaker: str = "Ada") -> None:
        self.run("publish", text, "--role", "user", "--session", "monday", "--speaker", speaker)

    def remember(self, text: str) -> str:
        """The id of the fact that is remembered."""
        known = set(self._facts())
        self.run("remember", text, "--speaker", "Ada", "--no-wait")
        self.fold()
        (made,) = set(self._facts()) - known
        return made

    def _facts(self) -> list[str]:
        return [node_id for (node_id,) in rows(self.settings.file, "SELECT node_id FROM cells")]

    def recalled(self) -> list[NodesRecalled]:
        """The recalls that stand on the stream."""
        found = [event_of(entry).payload for entry in Stream(self.client, "default").range(START, 1_000)]
        return [payload for payload in found if isinstance(payload, NodesRecalled)]

    def bytes_kept(self) -> bytes:
        """All that the stream and the space's folder hold."""
        entries: Any = self.client.xrange(keys.stream("default"))
        kept = [value for _, fields in entries for value in fields.values()]
        kept += [path.read_bytes() for path in sorted(self.settings.folder.rglob("*")) if path.is_file()]
        return b"\n".join(kept)


@pytest.fixture
def home(tmp_path: Path, redis: redis_py.Redis, redis_url: str) -> Home:
    return Home(tmp_path, redis_url, redis)


@pytest.fixture
def told(home: Home) -> Home:
    """A memory to which Ada has said where she works and what she drinks."""
    home.say("Morning! I start work at the harbour office at nine.")
    home.say("What do you drink there?", "Ben")
    home.say("Espresso, and then more espresso.")
    home.fold()
    return home


# ---- given again ---------------------------------------------------------------------------------------------------


def test_a_past_context_is_shown_byte_for_byte_whatever_has_changed_since(
    told: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, espresso = told.remember("I work at Acme."), told.remember("I like espresso.")
    given = told.run("context", QUESTION)
    assert "Acme" in given.stdout
    assert "espresso" in given.stdout
    told.fold()

    bolt = told.remember("I started at Bolt.")
    told.run("forget", espresso, "--yes", "--no-wait")
    append(told.client, [event("judged", VerdictGiven(first=bolt, second=acme, ruling="supersedes"))])
    told.say("I work, work, work, and drink, drink, drink.")
    told.fold()
    for arm in ("lexical", "vector"):
        monkeypatch.setitem(WEIGHTS, arm, 0.01)
    now = told.run("context", QUESTION, "--no-record").stdout
    assert now != given.stdout
    assert "I like espresso" not in now

    (listed,) = told.json("recalls", "list")
    shown = told.run("recalls", "show", listed["recall_id"][:12])
    assert (shown.exit_code, shown.stdout_bytes) == (0, given.stdout_bytes)
    assert QUESTION in shown.stderr
    again = told.json("recalls", "show", listed["recall_id"])
    assert (again["text"] + "\n", again["exact"], again["missing"]) == (given.stdout, True, [])


def test_a_past_recall_is_shown_with_what_it_found_in_its_order(told: Home) -> None:
    found = told.json("recall", "espresso at the harbour", "--limit", "3")["results"]
    told.fold()
    (listed,) = told.json("recalls", "list", "--query", "HARBOUR")
    assert (listed["kind"], listed["options"]["limit"]) == ("recall", 3)
    assert [line["id"] for line in listed["lines"]] == [result["node_id"] for result in found]
    shown = told.run("recalls", "show", listed["recall_id"])
    assert shown.exit_code == 0
    assert [line.partition(": ")[2] for line in shown.stdout.splitlines()] == [result["content"] for result in found]


def test_an_answer_that_was_empty_is_shown_as_such(told: Home) -> None:
    told.run("context", "zzyzx qwrtplk")
    told.run("recall", "zzyzx qwrtplk")
    told.fold()
    listed = told.json("recalls", "list")
    assert [len(one["lines"]) for one in listed] == [0, 0]
    for one in listed:
        shown = told.run("recalls", "show", one["recall_id"])
        assert (shown.exit_code, shown.stdout) == (0, "")
        assert "nothing relevant" in shown.stderr


def test_lines_that_are_told_in_other_words_by_now_are_named_so(told: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    told.remember("I work at Acme.")
    told.run("context", QUESTION)
    told.fold()
    monkeypatch.setattr(rendering, "head", lambda _: "In other words:")
    (listed,) = told.json("recalls", "list")
    shown = told.run("recalls", "show", listed["recall_id"])
    assert shown.exit_code == 1
    assert "In other words:" in shown.stdout
    assert "this is not exactly what was answered then" in shown.stderr
    assert told.json("recalls", "show", listed["recall_id"])["exact"] is False


def test_a_fact_knows_the_recalls_that_told_it(told: Home) -> None:
    acme = told.remember("I work at Acme.")
    told.run("context", QUESTION)
    told.run("recall", "espresso", "--type", "episodic")
    told.fold()
    (listed,) = told.json("recalls", "list", "--node", acme[:9])
    assert listed["query"] == QUESTION
    (first, second) = told.run("recalls", "list").stdout.splitlines()
    assert first.endswith(("line   espresso", "lines  espresso"))
    assert second.endswith(QUESTION)
    assert told.json("recalls", "list", "--since", "2100-01-01T00:00:00Z") == []


# ---- what is kept ----------------------------------------------------------------------------------------------------


def test_no_text_of_a_question_is_kept_where_only_hashes_are_wanted(told: Home) -> None:
    secret, name = "Does anybody know the Zyxwv affair?", "Qrstuv"
    told.run("context", secret, RECALL_LOG="hash")
    told.run("recall", secret + " " + name, RECALL_LOG="hash")
    told.fold()
    kept = told.bytes_kept()
    assert b"nodes_recalled" in kept
    for word in (b"Zyxwv", b"zyxwv", b"Qrstuv", b"qrstuv", b"anybody"):
        assert word not in kept
    (found,) = told.json("recalls", "list", "--query", secret.upper())
    assert (found["query"], found["query_chars"], found["kind"]) == ("", len(secret), "context")
    assert "text not kept" in told.run("recalls", "list").stdout
    assert told.run("recalls", "show", found["recall_id"]).exit_code == 0


def test_answers_of_the_memory_are_recorded_without_its_text(told: Home) -> None:
    told.remember("I work at Acme.")
    told.run("context", "Which office?")
    (recorded,) = told.recalled()
    written = repr(recorded)
    for word in ("Acme", "harbour", "espresso", "Ada", "Ben"):
        assert word not in written
    (answer,) = recorded.answers
    assert {line.id[:3] for line in answer.lines} <= {"ep-", "ce-", "sc-"}
    assert answer.lines


def test_where_no_log_is_wanted_what_was_used_is_reinforced_all_the_same(told: Home) -> None:
    acme = told.remember("I work at Acme.")
    told.run("context", QUESTION, RECALL_LOG="off")
    told.fold()
    assert told.json("recalls", "list") == []
    (recorded,) = told.recalled()
    assert (recorded.answers, [node_ids for _, node_ids in recorded.recalls]) == ((), [(acme,)])
    assert rows(told.settings.file, "SELECT access_count FROM nodes WHERE node_id = ?", acme) == [(1,)]


def test_nothing_is_recorded_where_no_trace_is_wanted(told: Home) -> None:
    told.run("context", QUESTION, "--no-record")
    told.run("recall", QUESTION, "--no-record")
    assert told.recalled() == []


def test_questions_about_the_past_are_kept_as_no_use_of_the_facts(told: Home) -> None:
    acme = told.remember("I work at Acme.")
    told.run("context", QUESTION, "--now", "2100-01-01T00:00:00Z")
    told.run("recall", "zzyzx qwrtplk", "--fallback")
    told.fold()
    listed = {one["kind"]: one for one in told.json("recalls", "list")}
    assert listed["context"]["reinforces"] is False
    assert listed["context"]["about"] == "2100-01-01T00:00:00Z"
    assert {line["kind"] for line in listed["recall"]["lines"]} == {"fallback"}
    assert [recorded.recalls for recorded in told.recalled()] == [(), ()]
    assert rows(told.settings.file, "SELECT access_count FROM nodes WHERE node_id = ?", acme) == [(0,)]
    for one in listed.values():
        assert told.run("recalls", "show", one["recall_id"]).exit_code == 0


def test_answers_about_other_times_and_parts_of_the_memory_are_shown_as_they_were_given(told: Home) -> None:
    acme = told.remember("I work at Acme.")
    learnt, asked_of = (
        rows(told.settings.file, "SELECT position_ms, position_seq FROM space")[0],
        "2100-01-01T00:00:00Z",
    )
    bolt = told.remember("I started at Bolt.")
    append(told.client, [event("judged", VerdictGiven(first=bolt, second=acme, ruling="supersedes"))])
    told.fold()
    given = [
        told.run("context", QUESTION, "--as-of", asked_of),
        told.run("context", QUESTION, "--known-at", f"{learnt[0]}-{learnt[1]}"),
        told.run("context", QUESTION, "--speaker", "Ada", "--after", "2020-01-01T00:00:00Z", RECALL_LOG="hash"),
        told.run("context", QUESTION, "--known-at", "2000-01-01T00:00:00Z"),
    ]
    assert [done.exit_code for done in given] == [0] * 4
    assert "Bolt" in given[0].stdout
    assert "Bolt" not in given[1].stdout
    assert "knew nothing yet" in given[3].stderr
    told.fold()
    told.run("forget", acme, "--yes", "--no-wait")
    told.fold()
    narrowed, known_at, as_of = told.json("recalls", "list")
    assert (as_of["options"]["as_of"], as_of["reinforces"]) == (asked_of, False)
    assert (known_at["position"], known_at["reinforces"]) == (f"{learnt[0]}-{learnt[1]}", False)
    assert (narrowed["options"]["after"], narrowed["reinforces"]) == ("2020-01-01T00:00:00Z", True)
    assert "Ada" not in str(narrowed)
    for recorded, done in zip((as_of, known_at, narrowed), given, strict=False):
        shown = told.run("recalls", "show", recorded["recall_id"])
        assert (shown.exit_code, shown.stdout_bytes) == (0, done.stdout_bytes)


def test_a_question_that_was_a_turn_of_a_chat_is_kept_as_that_message_alone(told: Home) -> None:
    text = "Which drink is my favourite, by the way?"
    assert told.run("chat", "--session", "s", text=text + "\n").exit_code == 0
    (answer,) = told.recalled()[-1].answers
    assert answer.query == ""
    assert answer.message is not None
    told.fold()
    (listed,) = told.json("recalls", "list", "--query", "by the way")
    assert (listed["query"], listed["message"]) == (text, episode_id(answer.message))
    assert told.run("recalls", "show", listed["recall_id"]).exit_code == 0


def test_an_answer_is_given_while_redis_is_away_and_leaves_no_trace(told: Home) -> None:
    for mode in ("text", "hash", "off"):
        done = told.run("context", QUESTION, url="redis://127.0.0.1:1", RECALL_LOG=mode)
        assert done.exit_code == 0
        assert "harbour" in done.stdout
    told.fold()
    assert told.json("recalls", "list") == []


@pytest.mark.parametrize("query", ["x" * 1_000_000, "half \ud83d of it", "nul \x00 in it", "", "「東京」" * 2_000])
def test_any_question_can_be_recorded(told: Home, query: str) -> None:
    path = told.settings.data / "queries.jsonl"
    path.write_bytes(json.dumps({"query_id": 1, "query": "before"}).encode() + b"\n")
    if "\ud83d" not in query:
        path.write_bytes(json.dumps({"query_id": 1, "query": query}).encode() + b"\n")
        told.run("recall", "--queries", str(path), "--json")
    else:
        told.run("recall", query)
    (recorded,) = told.recalled()
    (answer,) = recorded.answers
    assert len(answer.query) <= 2_000
    assert answer.query_chars == len(query)
    told.fold()
    (listed,) = told.json("recalls", "list")
    assert told.run("recalls", "show", listed["recall_id"]).exit_code == 0
    assert rows(told.settings.file, "SELECT count(*) FROM dead_letters") == [(0,)]


def test_a_log_with_recalls_replays_to_the_same_hash(told: Home) -> None:
    told.remember("I work at Acme.")
    for number in range(3):
        told.run("context", f"{QUESTION} {number}")
    told.fold()
    before = file_hashes(told.settings.file)
    done = replay.verify(told.settings, EMBEDDER, batch=7, progress=lambda _: None)
    assert done.equal
    assert before.hash == done.hash_rebuilt


def test_a_past_answer_needs_no_redis_and_no_kept_side_file(told: Home) -> None:
    given = told.run("context", QUESTION)
    told.fold()
    (listed,) = told.json("recalls", "list")
    for _ in range(2):
        shown = told.run("recalls", "show", listed["recall_id"], url="redis://127.0.0.1:1")
        assert shown.stdout_bytes == given.stdout_bytes
        known.remove_all(told.settings)


def test_a_recall_that_there_is_not_is_named_so(told: Home) -> None:
    with pytest.raises(InvalidInput, match="there is no recall"):
        told.run("recalls", "show", "rc-nothing")
