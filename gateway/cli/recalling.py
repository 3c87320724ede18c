"""The command that searches a space: recall."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from mnemolog.gateway.cli.axes import time_options
from mnemolog.gateway.cli.context import FILE, Context, json_option, pass_context, print_answer, print_json
from mnemolog.gateway.cli.narrowing import narrowing_options, scope_of
from mnemolog.gateway.cli.placing import place_of
from mnemolog.gateway.cli.telling import day, short
from mnemolog.gateway.memory.scope import MOST_RESULTS, NODE_TYPES
from mnemolog.gateway.memory.searching import DEFAULT_LIMIT, Recall, Result, Search, Wish, searched
from mnemolog.projections.recall import MIN_SCORE
from mnemolog.schema.errors import InvalidFile, InvalidInput


class Query(msgspec.Struct, frozen=True):
    """A line of a file of queries."""

    query_id: str | int
    query: str


@click.command()
@click.argument("query", required=False)
@click.option("--queries", type=FILE, help='A file of queries, {"query_id", "query"} a line; needs --json.')
@click.option(
    "--limit",
    type=click.IntRange(1, MOST_RESULTS),
    default=DEFAULT_LIMIT,
    show_default=True,
    help="The most results.",
)
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    default=MIN_SCORE,
    show_default=True,
    help="Answer nothing unless the best result has this score.",
)
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
    wish = Wish(
        scope=scope_of(options),
        limit=options["limit"],
        types=options["types"] or None,
        min_score=options["min_score"],
        fallback=options["fallback"],
        record=not options["no_record"],
    )
    with place_of(context) as place, searched(place, wish) as search:
        if queries is not None:
            _answer_file(search, queries)
        elif as_json:
            print_answer(search.run(query or ""))
        else:
            _show(search.run(query or ""), explain=options["explain"])


def _answer_file(search: Search, path: Path) -> None:
    asked = _read(path)
    search.run("warm up", record=False)
    for item in asked:
        found = search.run(item.query)
        print_json({"query_id": item.query_id, "took_ms": found.took_ms, "results": found.results})


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


def _show(found: Recall, *, explain: bool) -> None:
    if not found.results:
        click.echo("nothing relevant", err=True)
    for result in found.results:
        click.echo(_line(result))
        if explain:
            arms = ", ".join(f"{arm} {value:.3f}" for arm, value in result.scores.items())
            click.echo(f"       {result.node_id}  session {short(result.session or '-')}  {arms}")


def _line(result: Result) -> str:
    who = short(result.speaker or result.role or result.type)
    notes = [] if result.since is None else [f"since {day(result.since, result.utc_offset_min or 0)}"]
    notes += [f"before that {short(fact.content).rstrip('.')}" for fact in result.replaced[-1:]]
    notes += [f"+{len(result.same_as)} that say the same"] if result.same_as else []
    notes += ["fallback"] if result.fallback else []
    mark = f"  ({'; '.join(notes)})" if notes else ""
    return f"{result.score:.3f}  {result.occurred_at}  {who}: {short(result.content)}{mark}"


COMMANDS = (recall,)
