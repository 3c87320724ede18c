"""Whether a model's facts become memory: real observations about conversations, replayed through a stand-in server.

A folder with N.events.jsonl, N.observations.jsonl (what a model found in each session, with the turns that say it) and,
if there are questions, N.questions.jsonl. Each conversation is a space of its own. The stand-in answers an extraction
with the observations of its messages, quoting whole turns; it finds no conflicts and sums scenes up by their facts.
Scenes are topics, spelt in three ways. Slots and objects are never stated: the hardest case for finding conflicts.

usage: observations.py DIR [N ...] [--one-session]
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import msgspec
from drained import Line, Spent, drain, model, reading, rows, run, spent, write
from recall_quality import ask
from workbench import Workbench, workbench

from mnemolog.gateway.model_server import Request
from mnemolog.projections.indexes.embedder import WordLlamaEmbedder
from mnemolog.schema.settings import Settings
from mnemolog.schema.times import parse
from mnemolog.workers.rules.scenes import scene_of

KS = (5, 10, 50)


class Conversation(msgspec.Struct, frozen=True):
    """What was said, what a model found in it, and what is asked about it."""

    name: str
    events: list[dict[str, Any]]
    observations: list[dict[str, Any]]
    questions: list[dict[str, Any]]

    def lines(self, *, one_session: bool) -> list[Line]:
        """What is imported."""
        return [
            Line(
                id=event["id"],
                session="all" if one_session else event["session"],
                content=event["content"],
                at=parse(event["at"]),
                role=event["role"],
                speaker=event["speaker"],
            )
            for event in self.events
        ]


def conversations(folder: Path, names: list[str]) -> list[Conversation]:
    """The conversations of a folder, or those that are named."""
    found = names or sorted(path.name.partition(".")[0] for path in folder.glob("*.events.jsonl"))
    read = lambda name, part: rows(path) if (path := folder / f"{name}.{part}.jsonl").exists() else []  # noqa: E731
    return [
        Conversation(
            name,
            read(name, "events"),
            [row for row in read(name, "observations") if "content" in row],
            read(name, "questions"),
        )
        for name in found
    ]


class Observer:
    """A model that has read the conversation before."""

    def __init__(self, conversation: Conversation) -> None:
        self._by_turn: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        place = {event["id"]: number for number, event in enumerate(conversation.events)}
        for observation in conversation.observations:
            self._by_turn[max(observation["evidence"], key=lambda id_: place[id_])].append(observation)

    def __call__(self, request: Request) -> dict[str, Any]:
        if request.kind == "extract":
            said = {message["event_id"]: message["content"] for message in request.about["messages"]}
            found = [(number, row) for number, turn in enumerate(request.messages) for row in self._of(turn)]
            return {"cells": [_cell(number, row, said) for number, row in found]}
        if request.kind == "resolve":
            return {"verdicts": []}
        return {"summary": " ".join(fact["content"] for fact in request.facts.values())}

    def _of(self, turn: dict[str, Any]) -> list[dict[str, Any]]:
        return self._by_turn[turn["event_id"]]


def _cell(number: int, observation: dict[str, Any], said: dict[str, str]) -> dict[str, Any]:
    topic = scene_of("", "", observation["content"], observation["speaker"], ())
    return {
        "content": observation["content"],
        "cell_type": "fact",
        "subject": observation["speaker"],
        "evidence": [{"event_id": id_, "quote": said.get(id_, "")} for id_ in observation["evidence"]],
        "scene": (topic.capitalize(), f"{topic} ", f"{topic.upper()}S")[number % 3],
    }


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a conversation."""

    observations: int
    facts: int
    scenes: int
    without_summary: int
    spent: Spent


_EVIDENCE = """
    SELECT n.content, m.event_id FROM nodes n JOIN edges e ON e.kind = 'derived_from' AND e.source = n.node_id
    JOIN nodes m ON m.node_id = e.target WHERE n.type != 'episodic'
"""


def check(settings: Settings, conversation: Conversation) -> Checked:
    """Compares a space with the observations that it was made from."""
    with reading(settings) as connection:
        facts: defaultdict[str, set[str]] = defaultdict(set)
        for content, event_id in connection.execute(_EVIDENCE):
            facts[content].add(event_id)
        summaries: list[Any] = connection.execute("SELECT summary, stale FROM scenes WHERE cells > 0").fetchall()
        cost = spent(connection)
    wanted = [(row["content"], set(row["evidence"])) for row in conversation.observations]
    return Checked(
        observations=len(wanted),
        facts=sum(facts[content] == evidence for content, evidence in wanted),
        scenes=len(summaries),
        without_summary=sum(not summary or bool(stale) for summary, stale in summaries),
        spent=cost,
    )


def replayed(settings: Settings) -> dict[str, Any]:
    """What `replay --verify` says of a space."""
    found: dict[str, Any] = msgspec.json.decode(run(settings, "replay", "--verify", "--json"))
    return found


def observed(bench: Workbench, conversation: Conversation, *, one_session: bool) -> tuple[Settings, Checked]:
    """Imports a conversation with its observations; the server must not be asked when it is replayed.

    Raises RuntimeError when a replay differs or asks.
    """
    file = write(bench.folder / f"{conversation.name}.jsonl", conversation.lines(one_session=one_session))
    with model(Observer(conversation)) as (server, env):
        settings = drain(bench, f"conversation-{conversation.name}", file, env)
        before = server.counters
        again = replayed(settings)
        if not again["equal"] or again["model_calls"] or server.counters != before:
            raise RuntimeError(f"conversation {conversation.name}: a replay is not equal, or asked a model: {again}")
    return settings, check(settings, conversation)


def _tell(name: str, cost: Spent) -> None:
    calls = ", ".join(f"{kind} {count}" for kind, count in sorted(cost.calls.items()))
    print(
        f"  {name}: {cost.messages} messages in {cost.windows} windows ({cost.full_windows} full), calls: {calls}\n"
        f"    for 8 messages: extract {cost.per_8_messages('extract'):.2f}, all {cost.per_8_messages():.2f}; "
        f"for each window: extract {cost.per_window('extract'):.2f}, all {cost.per_window():.2f}\n"
        f"    for 100 messages: {100 * cost.all_calls / cost.messages:.1f} calls, "
        f"{100 * sum(cost.tokens_in.values()) / cost.messages:,.0f} prompt tokens "
        f"({', '.join(f'{kind} {100 * count / cost.messages:,.0f}' for kind, count in sorted(cost.tokens_in.items()))})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="only these conversations")
    parser.add_argument("--one-session", action="store_true", help="all of it in one session: all windows are full")
    options = parser.parse_args()
    embedder = WordLlamaEmbedder()
    everything: list[Checked] = []
    answers = []
    with workbench() as bench:
        for conversation in conversations(options.folder, options.names):
            settings, checked = observed(bench, conversation, one_session=options.one_session)
            everything.append(checked)
            _tell(conversation.name, checked.spent)
            print(
                f"    {checked.facts} of {checked.observations} observations are facts with exactly their turns; "
                f"{checked.scenes} scenes, {checked.without_summary} without a fresh summary",
                flush=True,
            )
            questions = [(str(row["category"]), row["query"], set(row["evidence"])) for row in conversation.questions]
            answers += list(ask(settings.file, questions, embedder))
    _tell("all", reduce(add, (checked.spent for checked in everything)))
    facts, wanted = sum(c.facts for c in everything), sum(c.observations for c in everything)
    print(f"observations that are facts with exactly their turns: {facts} of {wanted}, {100 * facts / wanted:.1f} %")
    if answers:
        found = {k: sum(answer.recall_at(k) for answer in answers) / len(answers) for k in KS}
        print(f"recall over {len(answers)} questions: " + ", ".join(f"R@{k} {share:.3f}" for k, share in found.items()))


if __name__ == "__main__":
    main()
