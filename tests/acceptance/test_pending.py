"""Requests made in talk, at the command line: listed, confirmed, dismissed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from acceptance.memory import Memory
from support import wait_until


@pytest.fixture
def asked(memory: Memory) -> Iterator[Memory]:
    """A memory at work, to which Ada has said two things that she asks to have forgotten in the same talk."""
    said = ("I like jazz.", "I live in Berlin.", "Forget that I like jazz.", "Forget that I live in Berlin.")
    with memory.up():
        for number, text in enumerate(said):
            options = ("--session", "talk", "--speaker", "Ada", "--at", f"2026-06-01T10:0{number}:00Z")
            memory.run("publish", text, "--role", "user", *options)
        memory.run("publish", "See you.", "--role", "user", "--session", "later", "--at", "2026-06-01T12:00:00Z")
        wait_until(lambda: memory.json("status")["requests_pending"] == 2, 30, "both requests")
        yield memory


def test_what_is_asked_in_talk_is_forgotten_once_it_is_confirmed_and_kept_once_it_is_dismissed(asked: Memory) -> None:
    jazz, berlin = asked.json("requests", "list")
    facts = {fact["node_id"]: fact["object"] for fact in asked.json("facts")}
    assert [facts[node_id] for one in (jazz, berlin) for node_id in one["facts"]] == ["jazz", "berlin"]
    assert jazz["content"] in asked.run("requests", "list").stdout

    shown = asked.json("requests", "confirm", jazz["request_id"])
    assert (shown["forgotten"], shown["facts"][0]["object"]) == (False, "jazz")
    assert [one["content"] for one in shown["hides"]] == ["I like jazz.", "Forget that I like jazz."]
    assert asked.json("status")["requests_pending"] == 2

    assert "forgotten: 1 fact," in asked.run("requests", "confirm", jazz["request_id"][:9], "--yes").stdout
    assert asked.json("requests", "dismiss", berlin["request_id"])["folded"] is True
    assert {fact["object"] for fact in asked.json("facts")} == {"berlin"}
    assert not [found for found in asked.ask("Does Ada like jazz?") if "jazz" in found["content"]]
    assert asked.json("requests", "list") == []
    assert [one["state"] for one in asked.json("requests", "list", "--all")] == ["confirmed", "dismissed"]
    assert "is dismissed already" in asked.run("requests", "dismiss", berlin["request_id"], status=2).stderr
