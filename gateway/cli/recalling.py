"""The command that searches a space: recall."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw
import click
import msgspec

from mnemolog.gateway.cli.axes import Axes, axes_of, reading, time_options
from mnemolog.gateway.cli.context import FILE, Context, json_option, pass_context, print_json
from mnemolog.gateway.cli.narrowing import narrowing_options, search_options, told_options
from mnemolog.gateway.cli.recording import Asked, recording
from mnemolog.gateway.cli.telling import day, short
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.facts import Fact, facts
from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.projections.recall import Result
from mnemolog.projections.recall import recall as search
from mnemolog.schema.errors import InvalidFile, InvalidInput
from mnemolog.schema.times import show as show_time

NODE_TYPES = ("episodic", "semantic", "procedural", "opinion")
_TIMES = ("occurred_at", "recorded_at", "valid_from", "valid_until", "since")
_RETRACTED = ("forgotten", "corrected")


class Query(msgspec.Struct, frozen=True):
    """A line of a file of queries."""

    query_id: str | int
    query: str


class Found(msgspec.Struct, frozen=True):
    """What a query found, in which time (milliseconds), and the facts in it and those they replaced, by node id."""

    results: list[Result]
    facts: dict[str, Fact]
    took_ms: float

    def since(self, result: Result) -> int | None:
        """Since when a fact among the results holds."""
        fact = self.facts.get(result.node_id)
        return None if fact is None else fact.since

    def replaced(self, result: Result) -> list[Fact]:
        """The facts whose place a result took, the newest last; none that was forgotten, or never true."""
        before = (self.facts[node_id] for node_id in result.supersedes if node_id in self.facts)
        return [fact for fact in before if fact.status not in _RETRACTED]


class Search(msgspec.Struct, frozen=True):
    """What all queries of a call share: `given` are further arguments of the search, `told` all of them as recorded."""

    connection: apsw.Connection
    embedder: Embedder
    axes: Axes
    now: int
    limit: int
    given: dict[str, Any]
    told: dict[str, Any]

    def run(self, query: str) -> Found:
        """The results of a query. Raises what `recall` raises."""
        started = time.perf_counter()
        results = search(self.connection, query, embedder=self.embedder, now=self.now, limit=self.limit, **self.given)
        took_ms = round((time.perf_counter() - started) * 1000, 3)
        known = self._facts([found for found in results if found.type != "episodic"])
        if self.axes.as_of is not None:
            # Of recalls after the time asked about none counts, which only the whole row of a fact tells.
            live = {node_id for node_id, fact in known.items() if fact.status == "live"}
            results = [found for found in results if found.type == "episodic" or found.node_id in live]
        return Found(results, known, took_ms)

    def _facts(self, results: Sequence[Result]) -> dict[str, Fact]:
        ids = {node_id for found in results for node_id in (found.node_id, *found.supersedes)}
        if not ids:
            return {}
        with read_transaction(self.connection):
            return {fact.node_id: fact for fact in facts(self.connection, self.now, everything=True, node_ids=ids)}

    def asked(self, query: str) -> Asked:
        """What the recall log says of a query."""
        return Asked(query=query, about=self.now, options=self.told, is_use=not self.axes.is_past)


@click.command()
@click.argument("query", required=False)
@click.option("--queries", type=FILE, help='A file of queries, {"query_id", "query"} a line; needs --json.')
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="The most results.")
@click.option("--type", "types", type=click.Choice(NODE_TYPES), multiple=True, help="Only nodes of this type.")
@time_options
@narrowing_options
@click.option("--fallback", is_flag=True, help="When nothing is relevant, give the most salient live nodes, marked.")
@click.option("--no-record", is_flag=True, help="Leave no trace of this recall.")
@click.option("--explain", is_flag=True, help="Show the score of each arm.")
@json_option
@pass_context
def recall(context: Context, /, query: str | None, queries: Path | None, as_json: bool, **options: Any) -> None:  # noqa: FBT001
    """Search the memory. Any text is a query; nothing relevant is an answer.

    The facts among the first ten results are reinforced, so that what is used does not fade; not with --no-record,
    when another time than now is asked about, or while Redis is away. Put -- before a query that begins with a dash.

    --as-of answers with what was true then and the messages said by then; --known-at with what the memory had learned
    by then, however it was later changed. With both, both hold.

    \b
    mnemolog recall "What does Ada like to drink?"
    mnemolog recall "Where does Ada work?" --as-of 2026-03-09T00:00:00Z
    mnemolog recall --queries questions.jsonl --json --limit 50
    """
    if (query is None) == (queries is None):
        raise InvalidInput("give either a QUERY or a file of --queries")
    if queries is not None and not as_json:
        raise InvalidInput("--queries prints one JSON object a line: add --json")
    axes = axes_of(options)
    with recording(context, wanted=not options["no_record"]) as recorder, reading(context, axes) as connection:
        search_ = _search(context, connection, axes, options)

        def record(text: str, results: Sequence[Result]) -> None:
            recorder.recall(connection, search_.asked(text), results)

        if queries is not None:
            _answer_file(search_, queries, record)
        else:
            found = _answer(search_, query or "", as_json=as_json, explain=options["explain"])
            sys.stdout.flush()
            record(query or "", found.results)


def _search(context: Context, connection: apsw.Connection, axes: Axes, options: dict[str, Any]) -> Search:
    types, fallback = options["types"] or None, options["fallback"]
    shared = {"limit": options["limit"], "types": types, "fallback": fallback or None}
    return Search(
        connection,
        context.embedder(),
        axes,
        axes.at,
        options["limit"],
        {"types": types, "fallback": fallback, **search_options(context, axes, options)},
        {**shared, **told_options(axes, options)},
    )


def _answer_file(search_: Search, path: Path, record: Callable[[str, Sequence[Result]], None]) -> None:
    asked = _read(path)
    search_.run("warm up")
    for item in asked:
        found = search_.run(item.query)
        record(item.query, found.results)
        print_json({"query_id": item.query_id, "took_ms": found.took_ms, "results": _objects(found)})


def _read(path: Path) -> list[Query]:
    asked, problems = [], []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    asked.append(msgspec.json.decode(line, type=Query))
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    problems.append((number, str(error)))
    if problems:
        raise InvalidFile(str(path), problems)
    return asked


def _objects(found: Found) -> list[dict[str, Any]]:
    """The results for JSON; a fact with the time since which it holds, and with what it took the place of."""
    return [as_object(result, found) for result in found.results]


def as_object(result: Result, found: Found) -> dict[str, Any]:
    """A result for JSON: times as ISO 8601 in UTC."""
    fields = msgspec.structs.asdict(result) | {"since": found.since(result)}
    times = {name: show_time(value) for name, value in fields.items() if name in _TIMES and value is not None}
    before = [
        {"node_id": fact.node_id, "content": fact.content, "since": show_time(fact.since), "until": _until(fact)}
        for fact in found.replaced(result)
    ]
    return {**fields, **times, "replaced": before}


def _until(fact: Fact) -> str | None:
    return None if fact.valid_until is None else show_time(fact.valid_until)


def _answer(search_: Search, query: str, *, as_json: bool, explain: bool) -> Found:
    found = search_.run(query)
    if as_json:
        print_json({"query": query, "took_ms": found.took_ms, "results": _objects(found)})
        return found
    if not found.results:
        click.echo("nothing relevant", err=True)
    for result in found.results:
        click.echo(_line(result, found))
        if explain:
            arms = ", ".join(f"{arm} {value:.3f}" for arm, value in result.scores.items())
            click.echo(f"       {result.node_id}  session {short(result.session or '-')}  {arms}")
    return found


def _line(result: Result, found: Found) -> str:
    who = short(result.speaker or result.role or result.type)
    since = found.since(result)
    notes = [] if since is None else [f"since {day(since)}"]
    notes += [f"before that {short(fact.content)}" for fact in found.replaced(result)[-1:]]
    notes += ["fallback"] if result.fallback else []
    mark = f"  ({'; '.join(notes)})" if notes else ""
    return f"{result.score:.3f}  {show_time(result.occurred_at)}  {who}: {short(result.content)}{mark}"


COMMANDS = (recall,)
