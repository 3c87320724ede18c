"""Whether asking as of the time of every step gives what was true at that step.

Takes the file of `updates.py`: pairs of statements of which the second replaces the first, each said on a day of its
own, and worked off with a stand-in for a model that knows the pairs. As of every day, those statements are true that
were said by then and that nothing had replaced. All facts are asked for, and what the day's statement is about is
searched for, which what it replaces and what replaces it are about as well.

usage: as_of.py FILE [--personas N] [--json]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec
from drained import drain, model, reading, write
from updates import FIRST_AT, Oracle, Persona, personas
from workbench import Workbench, workbench

from mnemolog.projections.facts import facts
from mnemolog.projections.indexes.embedder import WordLlamaEmbedder
from mnemolog.projections.recall import recall
from mnemolog.projections.search.filters import Filters
from mnemolog.schema.settings import Settings
from mnemolog.schema.times import DAY

CELL_TYPES = ("semantic", "procedural", "opinion")


class Found(msgspec.Struct):
    """Steps asked about, and how many were right; facts told by recall, and those not true then."""

    steps: int = 0
    right: int = 0
    true_facts: int = 0
    true_found: int = 0
    false_told: int = 0
    searched: int = 0
    answered: int = 0
    recalled: int = 0
    recalled_false: int = 0
    wrong: list[str] = []


def truth(persona: Persona, day: int) -> set[str]:
    """The statements that were true on a day."""
    days = {said["statement"]: number for number, said in enumerate(persona.said)}
    replaced = {pair.before for pair in persona.pairs if days[pair.before] < days[pair.after] <= day}
    return {statement for statement, said_on in days.items() if said_on <= day and statement not in replaced}


def ask(found: Found, persona: Persona, settings: Settings, embedder: WordLlamaEmbedder) -> None:
    """Asks as of every day of a persona."""
    with reading(settings) as connection:
        for day, said in enumerate(persona.said):
            at, true = FIRST_AT + day * DAY, truth(persona, day)
            told = {fact.content for fact in facts(connection, at)}
            found.steps += 1
            found.right += told == true
            found.true_facts += len(true)
            found.true_found += len(true & told)
            found.false_told += len(told - true)
            found.wrong += [f"{persona.name} day {day}: {text!r}" for text in sorted(told ^ true)]
            given: dict[str, Any] = {"now": at, "types": CELL_TYPES, "filters": Filters(said_until=at)}
            results = [one.content for one in recall(connection, said["item"], embedder=embedder, limit=10, **given)]
            found.searched += 1
            found.answered += said["statement"] in results
            found.recalled += len(results)
            found.recalled_false += len(set(results) - true)


def measure(bench: Workbench, everybody: list[Persona]) -> Found:
    """What as-of questions tell of all personas."""
    found, embedder = Found(), WordLlamaEmbedder()
    for persona in everybody:
        file = write(bench.folder / f"{persona.name}.jsonl", persona.lines())
        with model(Oracle(persona)) as (_, env):
            settings = drain(bench, f"as-of-{persona.name}", file, env)
        ask(found, persona, settings, embedder)
    return found


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / max(1, whole):.1f} %)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--personas", type=int, help="only the first so many")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with workbench() as bench:
        found = measure(bench, personas(options.file)[: options.personas])
    if options.json:
        print(msgspec.json.encode(found).decode())
        return
    print(f"steps at which the facts told are exactly the true ones: {_share(found.right, found.steps)}")
    print(f"true facts told: {_share(found.true_found, found.true_facts)}, not true but told: {found.false_told}")
    print(
        f"what was said of the slot that day is in the first ten of a recall: {_share(found.answered, found.searched)}"
    )
    print(f"facts in recalls that were not true then: {_share(found.recalled_false, found.recalled)}")
    for line in found.wrong:
        print(f"  wrong: {line}")


if __name__ == "__main__":
    main()
