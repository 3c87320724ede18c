"""Recall at the command line: any text is a query, files of queries, what a result says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from acceptance.memory import Memory

HOSTILE = {
    "empty": "",
    "blank": " \t\n",
    "quote": '"',
    "operator": "AND",
    "negation": "NOT working",
    "plus": "C++",
    "apostrophe": "O'Brien",
    "emoji": "👍",
    "marks": "???",
    "bracket": "(",
    "prefix": "token*",
    "column": "content: leak",
    "near": 'NEAR("espresso" leak, 2)',
    "sql": "'; DROP TABLE nodes; --",
    "nul": "espresso\0machine",
    "long": " ".join(f"word{n}" for n in range(9_998)) + " espresso machine",
    "chinese": "京都的樱花",
}
FINDS = {
    "negation": "NOT working on nested templates",
    "plus": "written in C++",
    "apostrophe": "O'Brien",
    "chinese": "京都看樱花",
}
FIELDS = {"node_id", "type", "content", "score", "scores", "event_ids", "session", "speaker", "occurred_at", "fallback"}


def asked(memory: Memory, folder: Path, lines: list[dict[str, Any]], *options: str) -> list[dict[str, Any]]:
    path = folder / "queries.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    done = memory.run("recall", "--queries", path, "--json", *options)
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_any_text_is_a_query(told: Memory, tmp_path: Path) -> None:
    answers = asked(told, tmp_path, [{"query_id": name, "query": text} for name, text in HOSTILE.items()])
    assert [answer["query_id"] for answer in answers] == list(HOSTILE)
    results = {answer["query_id"]: answer["results"] for answer in answers}
    for name, text in FINDS.items():
        assert text in results[name][0]["content"], name
    assert results["empty"] == results["blank"] == results["quote"] == results["marks"] == results["bracket"] == []


@pytest.mark.parametrize("query", ["", "NOT working", "👍", "-5 degrees"])
def test_any_text_is_a_query_on_the_command_line(told: Memory, query: str) -> None:
    done = told.run("recall", "--limit", "3", "--", query)
    assert len(done.stdout.splitlines()) <= 3
    assert done.stderr in ("", "nothing relevant\n")


def test_a_file_of_queries_gives_a_line_for_each(told: Memory, tmp_path: Path) -> None:
    lines = [
        {"query_id": 7, "query": "leaking gasket"},
        {"query_id": "b", "query": "nested templates", "note": "extra"},
    ]
    answers = asked(told, tmp_path, lines, "--limit", "2")
    assert [answer["query_id"] for answer in answers] == [7, "b"]
    for answer in answers:
        assert set(answer) == {"query_id", "took_ms", "results"}
        assert answer["took_ms"] > 0
        assert len(answer["results"]) == 2
        for result in answer["results"]:
            assert set(result) >= FIELDS
            assert len(result["event_ids"]) == 1
            assert result["occurred_at"].endswith("Z")
        scores = [result["score"] for result in answer["results"]]
        assert scores == sorted(scores, reverse=True)


def test_bad_lines_in_a_file_of_queries_are_named(told: Memory, tmp_path: Path) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_text('{"query_id": 1, "query": "tea"}\n\n{"query": "no id"}\nnot json\n')
    done = told.run("recall", "--queries", path, "--json", status=2)
    assert "line 3:" in done.stderr
    assert "line 4:" in done.stderr
    assert done.stdout == ""


def test_nothing_relevant_is_an_empty_list_and_a_fallback_is_marked(told: Memory) -> None:
    assert told.ask("zzyzx qwrtplk") == []
    found = told.ask("zzyzx qwrtplk", "--fallback", "--limit", "2")
    assert [result["fallback"] for result in found] == [True, True]
    lines = told.run("recall", "zzyzx qwrtplk", "--fallback", "--limit", "2").stdout.splitlines()
    assert len(lines) == 2
    assert all(line.endswith("(fallback)") for line in lines)
    assert [result["fallback"] for result in told.ask("espresso", "--fallback", "--limit", "1")] == [False]


def test_explain_shows_the_arms_and_the_node(told: Memory) -> None:
    (found, *_) = told.ask("espresso machine leaks", "--limit", "1")
    shown = told.run("recall", "espresso machine leaks", "--limit", "1", "--explain").stdout
    assert found["node_id"] in shown
    assert all(arm in shown for arm in found["scores"])


def test_results_are_of_the_types_that_were_asked_for(told: Memory) -> None:
    assert told.ask("espresso", "--type", "procedural", "--type", "opinion") == []
    assert {result["type"] for result in told.ask("espresso", "--type", "episodic")} == {"episodic"}


def test_recall_changes_nothing(told: Memory) -> None:
    before = told.json("verify")
    told.ask("espresso machine", "--no-record")
    assert told.json("verify") == before


def test_how_much_a_result_must_score_can_be_said(told: Memory) -> None:
    def found(*options: str) -> list[dict[str, Any]]:
        return told.json("recall", "household appliances", "--no-record", *options)["results"]  # type: ignore[no-any-return]

    assert found() == []
    assert found("--min-score", "0") != []
    assert "0<=x<=1" in told.run("recall", "appliances", "--min-score", "2", status=2).stderr
