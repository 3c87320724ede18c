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

from mnemolog.gateway.cli.context import FILE, TIME, Context, json_option, now_ms, pass_context, print_json
from mnemolog.gateway.cli.recording import Asked, recording
from mnemolog.projections.embedder import Embedder
from mnemolog.projections.recall import Result
from mnemolog.projections.recall import recall as search
from mnemolog.schema.errors import InvalidFile, InvalidInput
from mnemolog.schema.times import show as show_time

NODE_TYPES = ("episodic", "semantic", "procedural", "opinion")
SHOWN_CHARS = 200
_TIMES = ("occurred_at", "recorded_at", "valid_from", "valid_until")


class Query(msgspec.Struct, frozen=True):
    """A line of a file of queries."""

    query_id: str | int
    query: str


class Search(msgspec.Struct, frozen=True):
    """What all queries of a call share."""

    connection: apsw.Connection
    embedder: Embedder
    limit: int
    types: tuple[str, ...] | None
    now: int
    fallback: bool

    def run(self, query: str) -> tuple[list[Result], float]:
        """The results of a query, and how long it took in milliseconds."""
        started = time.perf_counter()
        found = search(
            self.connection,
            query,
            embedder=self.embedder,
            limit=self.limit,
            types=self.types,
            now=self.now,
            fallback=self.fallback,
        )
        return found, round((time.perf_counter() - started) * 1000, 3)

    def asked(self, query: str) -> Asked:
        """What the recall log says of a query."""
        options = {"limit": self.limit, "types": self.types, "fallback": self.fallback or None}
        return Asked(query=query, about=self.now, options=options)


@click.command()
@click.argument("query", required=False)
@click.option("--queries", type=FILE, help='A file of queries, {"query_id", "query"} a line; needs --json.')
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="The most results.")
@click.option("--type", "types", type=click.Choice(NODE_TYPES), multiple=True, help="Only nodes of this type.")
@click.option("--now", type=TIME, help="Answer as at this time.")
@click.option("--fallback", is_flag=True, help="When nothing is relevant, give the most salient live nodes, marked.")
@click.option("--no-record", is_flag=True, help="Leave no trace of this recall.")
@click.option("--explain", is_flag=True, help="Show the score of each arm.")
@json_option
@pass_context
def recall(context: Context, /, query: str | None, queries: Path | None, as_json: bool, **options: Any) -> None:  # noqa: FBT001
    """Search the memory. Any text is a query; nothing relevant is an answer.

    The facts among the first ten results are reinforced, so that what is used does not fade; not with --no-record,
    when another time than now is asked about, or while Redis is away. Put -- before a query that begins with a dash.

    \b
    mnemolog recall "What does Ada like to drink?"
    mnemolog recall --queries questions.jsonl --json --limit 50
    """
    if (query is None) == (queries is None):
        raise InvalidInput("give either a QUERY or a file of --queries")
    if queries is not None and not as_json:
        raise InvalidInput("--queries prints one JSON object a line: add --json")
    now = now_ms() if options["now"] is None else options["now"]
    with recording(context, wanted=not options["no_record"]) as recorder, context.reader() as connection:
        search_ = Search(
            connection,
            context.embedder(),
            options["limit"],
            options["types"] or None,
            now,
            options["fallback"],
        )

        def record(text: str, results: Sequence[Result]) -> None:
            recorder.recall(connection, search_.asked(text), results)

        if queries is not None:
            _answer_file(search_, queries, record)
        else:
            results = _answer(search_, query or "", as_json=as_json, explain=options["explain"])
            sys.stdout.flush()
            record(query or "", results)


def _answer_file(search_: Search, path: Path, record: Callable[[str, Sequence[Result]], None]) -> None:
    asked = _read(path)
    search_.run("warm up")
    for item in asked:
        results, took_ms = search_.run(item.query)
        record(item.query, results)
        print_json(
            {"query_id": item.query_id, "took_ms": took_ms, "results": [as_object(result) for result in results]}
        )


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


def as_object(result: Result) -> dict[str, Any]:
    """A result for JSON: times as ISO 8601 in UTC."""
    found = msgspec.structs.asdict(result)
    return {name: show_time(value) if name in _TIMES and value is not None else value for name, value in found.items()}


def _answer(search_: Search, query: str, *, as_json: bool, explain: bool) -> list[Result]:
    results, took_ms = search_.run(query)
    if as_json:
        print_json({"query": query, "took_ms": took_ms, "results": [as_object(result) for result in results]})
        return results
    if not results:
        click.echo("nothing relevant", err=True)
    for result in results:
        who = result.speaker or result.role or result.type
        mark = "  (fallback)" if result.fallback else ""
        text = " ".join(result.content.split())
        shown = text if len(text) <= SHOWN_CHARS else text[: SHOWN_CHARS - 1] + "…"
        click.echo(f"{result.score:.3f}  {show_time(result.occurred_at)}  {who}: {shown}{mark}")
        if explain:
            arms = ", ".join(f"{arm} {value:.3f}" for arm, value in result.scores.items())
            click.echo(f"       {result.node_id}  session {result.session}  {arms}")
    return results


COMMANDS = (recall,)
