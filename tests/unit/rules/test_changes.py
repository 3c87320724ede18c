"""Pairs of statements a week apart: what the second does to the first."""

import pytest

from mnemolog.workers.rules import Context, judge

from .corpus import NOW, WEEK, Pair, candidate, pairs, say

PAIRS = pairs("changes.jsonl")


def outcome(pair: Pair) -> str:
    """`supersedes` if any verdict does, else `same`, else `compatible`; `none` where the second makes no cell."""
    before = say(pair.first)
    after = say(pair.then, at=NOW + WEEK, context=Context(facts=before.cells))
    known = [candidate(f"old{number}", cell, NOW) for number, cell in enumerate(before.cells)]
    verdicts = [
        verdict.ruling
        for number, cell in enumerate(after.cells)
        for verdict in judge(candidate(f"new{number}", cell, NOW + WEEK), known)
    ]
    assert before.cells, pair.first
    if not after.cells:
        return "none"
    return next((ruling for ruling in ("supersedes", "same", "unsure") if ruling in verdicts), "compatible")


@pytest.mark.parametrize(
    "pair", [pair for pair in PAIRS if pair.verdict != "supersedes"], ids=lambda pair: f"{pair.first} {pair.then}"[:80]
)
def test_what_must_not_change_anything_does_not(pair: Pair):
    assert outcome(pair) == pair.verdict


def test_supersessions_are_precise_and_most_true_changes_are_found():
    outcomes = [(pair.verdict, outcome(pair)) for pair in PAIRS]
    claimed = [want for want, got in outcomes if got == "supersedes"]
    true = [got for want, got in outcomes if want == "supersedes"]
    assert len(true) >= 40
    assert claimed.count("supersedes") / len(claimed) >= 0.97
    assert true.count("supersedes") / len(true) >= 0.70
