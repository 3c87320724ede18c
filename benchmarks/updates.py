"""Whether statements that replace others end with the others superseded, and nothing else.

A file of pairs, one a line: persona, step, slot, before and after, each with slot, polarity, item and statement. Each
persona is a space of its own, whose user says all statements in the order of the steps, each on a day of its own.

First with a stand-in for a model: of a third of the statements it states the slot and the object, of a third the slot
in other words, of a third neither; of conflicts it says that exactly the pairs supersede. Then with the rules.

usage: updates.py FILE [--personas N] [--rules-only | --model-only]
"""

from __future__ import annotations

import argparse
import re
from collections import Counter, defaultdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
from drained import Line, drain, model, reading, rows, spent, write
from workbench import Workbench, workbench

from mnemolog.gateway.model_server import Request
from mnemolog.schema.settings import Settings
from mnemolog.schema.times import DAY, parse

FIRST_AT = parse("2024-01-01T09:00:00Z")
WORDED = ("exact", "paraphrased", "none")
_PARAPHRASES = {
    "like": ("fond_of_{}", "favourite_{}", "enjoyed_{}"),
    "dislike": ("avoids_{}", "{}_aversion", "unloved_{}"),
}
_ABOUT = re.compile(r"\b(I|to|my|like|dislike|watch|play|wear|drink|eat|listen|read|use)\b", re.IGNORECASE)


class Pair(msgspec.Struct, frozen=True):
    """Two statements of which the second replaces the first, by content."""

    before: str
    after: str
    slot: str


class Persona(msgspec.Struct, frozen=True):
    """Somebody's statements in order of time, and the pairs among them."""

    name: str
    said: list[dict[str, Any]]
    pairs: list[Pair]

    def lines(self) -> list[Line]:
        """What is imported."""
        return [
            Line(id=f"{self.name}-{day}", session=f"day-{day}", content=said["statement"], at=FIRST_AT + day * DAY)
            for day, said in enumerate(self.said)
        ]


def personas(file: Path) -> list[Persona]:
    """The personas of a file; what was said already is not said again."""
    found: defaultdict[str, Persona] = defaultdict(lambda: Persona("", [], []))
    for row in sorted(rows(file), key=lambda row: (row["persona"], row["step"])):
        one = found.setdefault(row["persona"], Persona(row["persona"], [], []))
        one.pairs.append(Pair(row["before"]["statement"], row["after"]["statement"], row["slot"]))
        known = {said["statement"] for said in one.said}
        one.said.extend(said for said in (row["before"], row["after"]) if said["statement"] not in known)
    return list(found.values())


def _draw(text: str, sides: int) -> int:
    """A number below `sides`, the same for a text for ever."""
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest()) % sides


def wording(statement: str) -> str:
    """How the slot of a statement is worded."""
    return WORDED[_draw(statement, 3)]


def _snake(text: str) -> str:
    return "_".join(re.findall(r"\w+", text.casefold()))


def _stated(said: dict[str, Any]) -> dict[str, Any]:
    """What the stand-in says of slot and object."""
    how = wording(said["statement"])
    if how == "exact":
        return {"slot": _snake(said["slot"]), "object": said["item"]}
    if how == "paraphrased":
        forms = _PARAPHRASES[said["polarity"]]
        topic = _snake(_ABOUT.sub(" ", said["slot"]))
        return {"slot": forms[_draw(said["statement"] + "slot", len(forms))].format(topic)}
    return {}


class Oracle:
    """A model that knows the pairs. It keeps which of them it was asked about."""

    def __init__(self, persona: Persona) -> None:
        self._said = {said["statement"]: said for said in persona.said}
        self._pairs = {(pair.before, pair.after) for pair in persona.pairs}
        self.asked: set[tuple[str, str]] = set()
        self.pairs_asked = 0

    def __call__(self, request: Request) -> dict[str, Any]:
        if request.kind == "extract":
            return {"cells": [self._cell(message) for message in request.messages]}
        if request.kind == "resolve":
            return {"verdicts": [self._verdict(*pair) for pair in request.pairs if self._is_one(*pair)]}
        return {"summary": " ".join(fact["content"] for fact in request.facts.values())}

    def _cell(self, message: dict[str, Any]) -> dict[str, Any]:
        said = self._said[message["content"]]
        return {
            "content": said["statement"],
            "cell_type": "preference",
            "subject": "user",
            "evidence": [{"event_id": message["event_id"], "quote": message["content"]}],
            "scene": said["slot"],
            "polarity": 1 if said["polarity"] == "like" else -1,
            **_stated(said),
        }

    def _is_one(self, first: dict[str, Any], second: dict[str, Any]) -> bool:
        self.pairs_asked += 1
        found = {(first["content"], second["content"]), (second["content"], first["content"])} & self._pairs
        self.asked |= found
        return bool(found)

    @staticmethod
    def _verdict(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
        return {"first": first["id"], "second": second["id"], "ruling": "supersedes", "kind": "changed"}


class Found(msgspec.Struct, kw_only=True):
    """What became of pairs: how many were asked about and superseded, what else was, and what was missed and why."""

    pairs: int = 0
    candidates: int = 0
    superseded: int = 0
    edges: int = 0
    wrong: list[str] = []
    missed: list[str] = []
    pairs_asked: int = 0
    cells: int = 0


def superseded(settings: Settings) -> set[tuple[str, str]]:
    """The supersedes edges of a space, as what was said before and after."""
    sql = """
        SELECT o.event_id, h.event_id FROM edges e JOIN nodes h ON h.node_id = e.source
        JOIN nodes o ON o.node_id = e.target WHERE e.kind = 'supersedes'
    """
    with reading(settings) as connection:
        return set(connection.execute(sql).fetchall())


def _judge(found: Found, persona: Persona, settings: Settings, oracle: Oracle | None) -> None:
    text = {line.id: line.content for line in persona.lines()}
    edges = {(text[old], text[new]) for old, new in superseded(settings)}
    right = {(pair.before, pair.after) for pair in persona.pairs}
    found.pairs += len(right)
    found.superseded += len(edges & right)
    found.edges += len(edges)
    found.wrong += [f"{old!r} -> {new!r}" for old, new in sorted(edges - right)]
    if oracle is None:
        return
    found.candidates += len(oracle.asked & right)
    found.pairs_asked += oracle.pairs_asked
    for old, new in sorted(right - edges):
        why = "judged, not in force" if (old, new) in oracle.asked else "no candidate"
        found.missed.append(f"{why} ({wording(old)}, {wording(new)}): {old!r} -> {new!r}")


def with_oracle(bench: Workbench, everybody: list[Persona]) -> Found:
    """What became of the pairs with a model that knows them."""
    found = Found()
    for persona in everybody:
        oracle = Oracle(persona)
        file = write(bench.folder / f"{persona.name}.jsonl", persona.lines())
        with model(oracle) as (_, env):
            settings = drain(bench, f"oracle-{persona.name}", file, env)
        _judge(found, persona, settings, oracle)
        with reading(settings) as connection:
            found.cells += connection.execute("SELECT count(*) FROM cells").get
            print(f"  {persona.name}: {len(persona.said)} statements, calls {spent(connection).calls}", flush=True)
    return found


def with_rules(bench: Workbench, everybody: list[Persona]) -> Found:
    """What became of the pairs with the rules, on the statements alone."""
    found = Found()
    for persona in everybody:
        file = write(bench.folder / f"{persona.name}.jsonl", persona.lines())
        settings = drain(bench, f"rules-{persona.name}", file)
        _judge(found, persona, settings, None)
        with reading(settings) as connection:
            found.cells += connection.execute("SELECT count(*) FROM cells").get
    return found


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / max(1, whole):.1f} %)"


def _report(found: Found, *, known: bool) -> None:
    if known:
        print(f"old fact among the candidates: {_share(found.candidates, found.pairs)}, wanted 97 %")
        print(f"pairs asked about for each cell: {found.pairs_asked / max(1, found.cells):.1f}")
    print(f"cells: {found.cells}")
    print(f"superseded as they should be: {_share(found.superseded, found.pairs)}{', wanted 95 %' if known else ''}")
    bound = "none" if known else "0.5 % of the pairs"
    print(f"other supersedes edges: {_share(len(found.wrong), found.pairs)}, at most {bound}")
    for line in found.wrong:
        print(f"  wrong: {line}")
    for line in found.missed:
        print(f"  {line}")
    if found.missed:
        print(dict(Counter(line.partition(":")[0] for line in found.missed)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--personas", type=int, help="only the first so many")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--rules-only", action="store_true")
    only.add_argument("--model-only", action="store_true")
    options = parser.parse_args()
    everybody = personas(options.file)[: options.personas]
    with workbench() as bench:
        if not options.rules_only:
            print("with a model that knows the pairs")
            _report(with_oracle(bench, everybody), known=True)
        if not options.model_only:
            print("with the rules")
            _report(with_rules(bench, everybody), known=False)


if __name__ == "__main__":
    main()
