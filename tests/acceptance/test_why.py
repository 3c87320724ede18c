"""Why, why not, changes and entities at the command line, on a memory that was told things by real processes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from acceptance.memory import Memory
from support import wait_until

HATS = "I like \x1b[31mred\x1b[0m hats \u202eand\u202c \x07bells."


@pytest.fixture(scope="module")
def ada(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    """A memory at work, to which Ada has said what language she prefers, twice, a week apart."""
    memory = Memory(tmp_path_factory.mktemp("ada") / "data")
    with memory.up():
        for number, text in enumerate(["I prefer Python.", "I'm writing in Rust now.", HATS, "See you."]):
            at = f"2026-06-{1 + 7 * number:02}T10:00:00Z"
            memory.run("publish", text, "--role", "user", "--session", at, "--speaker", "Ada", "--at", at)
        wait_until(lambda: fact(memory, "python").get("superseded_by"), 30, "Rust to supersede Python")
        yield memory


def fact(memory: Memory, value: str) -> dict[str, Any]:
    """The fact about a value, live or not; empty when there is none."""
    found: list[dict[str, Any]] = memory.json("facts", "--all")
    return next((one for one in found if one["object"] == value), {})


# ---- why ---------------------------------------------------------------------------------------------------------


def test_a_citation_of_a_context_leads_to_the_message_and_the_engine(ada: Memory) -> None:
    context = ada.json("context", "Which language does Ada prefer?", "--no-record")
    cited = re.findall(r"\[([0-9a-f]{4,})\]", context["text"])
    stories = [ada.json("why", short) for short in cited]
    (rust,) = [story for story in stories if story["kind"] == "fact" and story["fact"]["object"] == "rust"]
    (said,) = rust["said"]
    assert (said["quote"], said["speaker"]) == ("I'm writing in Rust now.", "Ada")
    assert said["occurred_at"] == "2026-06-08T10:00:00Z"
    assert rust["extraction"]["outcome"]["engine"] == "rules"
    assert rust["extraction"]["took_ms"] is not None
    assert rust["supersedes"] == [fact(ada, "python")["node_id"]]
    assert [verdict["ruling"] for verdict in rust["verdicts"]] == ["supersedes"]


def test_why_tells_people_the_same(ada: Memory) -> None:
    python, rust = fact(ada, "python")["node_id"], fact(ada, "rust")["node_id"]
    shown = ada.run("why", python).stdout
    for told in ("I prefer Python.", "by rules", "supersedes", rust, "replaced by", "superseded"):
        assert told in shown
    message = ada.json("why", python)["said"][0]["node_id"]
    shown = ada.run("why", f"[{message}]").stdout
    assert "was read by an engine" in shown
    assert python in shown


def test_a_message_and_a_topic_have_a_story_too(ada: Memory) -> None:
    rust = fact(ada, "rust")
    message = ada.json("why", rust["node_id"])["said"][0]["node_id"]
    story = ada.json("why", message)
    assert (story["kind"], story["window"]["state"]) == ("message", "done")
    assert [one["node_id"] for one in story["facts"]] == [rust["node_id"]]
    scene = ada.json("why", rust["scene"])
    assert (scene["kind"], scene["scene"]["scene"]) == ("scene", rust["scene"])
    assert rust["node_id"] in [one["node_id"] for one in scene["facts"]]


def test_recalls_that_told_a_fact_and_what_people_asked_of_it_are_in_its_story(ada: Memory) -> None:
    done = ada.json("remember", "I play the theremin.", "--speaker", "Ada")
    node_id = done["facts"][0]["node_id"]
    ada.run("confirm", node_id)
    ada.ask("Who plays the theremin?")
    story = wait_until(lambda: told if (told := ada.json("why", node_id))["recalls"] else None, 30, "the recall")
    assert story["recalls"][0]["query"] == "Who plays the theremin?"
    assert [request["kind"] for request in story["requests"]] == ["remembered", "confirmed"]
    assert story["extraction"] is None
    shown = ada.run("why", node_id).stdout
    assert "Who plays the theremin?" in shown
    assert "confirmed" in shown


@pytest.mark.parametrize("node", ["ce-0000000000", "0000", "nonsense", "", "ep-"])
def test_an_unknown_node_is_an_error_that_says_where_ids_are(ada: Memory, node: str) -> None:
    done = ada.run("why", "--", node, status=2)
    assert done.stdout == ""
    assert "mnemolog facts --all" in done.stderr


# ---- why not -----------------------------------------------------------------------------------------------------


def test_what_was_replaced_names_what_took_its_place(ada: Memory) -> None:
    found = ada.json("why-not", "I prefer Python.")
    first = found["findings"][0]
    assert (first["reason"], first["match"]) == ("superseded", "exact")
    assert first["evidence"]["by"] == fact(ada, "rust")["node_id"]
    assert first["evidence"]["since"] == "2026-06-08T10:00:00Z"
    assert found["not_searched"] is None
    assert ada.run("why-not", "I prefer Python.").stdout.startswith("superseded  superseded since 2026-06-08")
    then = ada.json("why-not", "Ada prefers Python.", "--as-of", "2026-06-03T00:00:00Z")
    assert then["findings"][0]["reason"] == "remembered"


def test_what_is_in_the_answer_or_filtered_out_of_it_says_so(ada: Memory) -> None:
    asked = ("why-not", "I'm writing in Rust now.", "--query", "Which language does Ada write in?")
    reasons = [one["reason"] for one in ada.json(*asked)["findings"]]
    assert set(reasons) == {"in_answer"}
    (first, *_) = ada.json(*asked, "--type", "opinion", "--speaker", "Ben")["findings"]
    assert (first["reason"], first["evidence"]["by"]) == ("filtered_out", ["types", "speakers"])


def test_what_was_never_said_is_an_answer_and_not_an_error(ada: Memory) -> None:
    assert ada.json("why-not", "I own a submarine.")["findings"][0]["reason"] == "never_published"
    assert "never_published" in ada.run("why-not", "I own a submarine.").stdout
    assert ada.run("why-not", " ", status=2).stderr


def test_without_redis_it_says_what_was_not_searched(memory: Memory) -> None:
    with memory.up():
        memory.run("publish", "I prefer Python.", "--role", "user", "--session", "a", "--speaker", "Ada")
        memory.run("wait")
    found = memory.json("why-not", "I own a submarine.")
    assert found["not_searched"] == "no Redis runs here"
    assert "no Redis runs here" in memory.run("why-not", "I own a submarine.").stderr
    assert memory.server() is None


# ---- changes and entities ----------------------------------------------------------------------------------------


def test_changes_tell_what_replaced_what_since_a_moment(ada: Memory) -> None:
    found = ada.json("changes", "--since", "2026-01-01T00:00:00Z")
    (change,) = [one for one in found["changes"] if one["kind"] == "changed"]
    assert (change["subject"], change["node_id"]) == ("Ada", fact(ada, "rust")["node_id"])
    assert change["replaced"]["node_id"] == fact(ada, "python")["node_id"]
    assert found["counts"]["changed"] == 1
    shown = ada.run("changes", "--since", "2026-01-01T00:00:00Z").stdout
    assert re.search(r"^  \d{4}-\d\d-\d\d  changed    .*Python.* → .*Rust", shown, re.MULTILINE)
    assert ada.json("changes", "--since", change["position"])["counts"].get("changed") is None


def test_a_span_that_ends_before_it_begins_is_refused(ada: Memory) -> None:
    done = ada.run("changes", "--since", "now", "--until", "2026-01-01T00:00:00Z", status=2)
    assert "--until comes after --since" in done.stderr


def test_an_entity_is_found_by_any_spelling_and_an_unknown_one_suggests_others(ada: Memory) -> None:
    found = ada.json("entity", "aDa")
    assert found["profile"]["name"] == "Ada"
    assert fact(ada, "rust")["node_id"] in [one["node_id"] for one in found["about"]]
    assert [one["replaced"]["node_id"] for one in found["changed"]] == [fact(ada, "python")["node_id"]]
    assert "Rust" in ada.run("entity", "Ada").stdout
    assert "Ada" in [one["name"] for one in ada.json("entities")]
    assert "Ada" in ada.run("entities").stdout
    assert "did you mean Ada" in ada.run("entity", "Adda", status=2).stderr


def test_no_memory_text_steers_the_terminal(ada: Memory) -> None:
    (message,) = [one for one in ada.ask("red hats", "--no-record") if "hats" in one["content"]][:1]
    commands = [
        ("why", message["node_id"]),
        ("why", message["node_id"], "--full"),
        ("why-not", HATS),
        ("why-not", HATS, "--query", "hats"),
        ("changes", "--since", "2026-01-01T00:00:00Z"),
        ("entity", "Ada", "--all"),
    ]
    for command in commands:
        shown = ada.run(*command).stdout
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e]", shown), command
    assert "\\x1b[31mred" in ada.run("why", message["node_id"]).stdout


def test_reading_a_memory_that_is_not_there_says_so(memory: Memory) -> None:
    for command in (("why", "ce-1"), ("why-not", "x"), ("changes", "--since", "0"), ("entity", "x"), ("entities",)):
        memory.run(*command, status=6)
