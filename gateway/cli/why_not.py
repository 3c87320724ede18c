"""The command that tells why something is not remembered, or not in an answer: why-not."""

from __future__ import annotations

from itertools import islice
from typing import Any

import apsw
import click

from mnemolog.gateway.cli.axes import Axes
from mnemolog.gateway.cli.context import TIME, Context, json_option, pass_context, print_json
from mnemolog.gateway.cli.narrowing import narrowing_options, search_options
from mnemolog.gateway.cli.recalling import NODE_TYPES
from mnemolog.gateway.cli.telling import as_object, short
from mnemolog.projections import status
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.indexes.analysis import clean
from mnemolog.projections.integrity import position_of
from mnemolog.projections.reasons.reasons import REASONS, Finding, Surroundings
from mnemolog.projections.reasons.standing import Answer, Question, answer
from mnemolog.projections.why_not import why_not as reasons_of
from mnemolog.schema import log
from mnemolog.schema.errors import InvalidInput, LogFull, LogRefused, LogUnavailable

#: As many entries that are not folded yet are looked through.
MOST_PENDING = 20_000
FINDINGS_SHOWN = 12
#: So often an answer is asked for again because the file changed while it was examined.
_ATTEMPTS = 5

_HELP = f"""Say why TEXT is not remembered, or with --query why it is not in the answer to that question.

    TEXT is looked for in messages and facts, in what could not be folded or is not folded yet, and in what engines
    found and was refused: word for word, as a part, by its words. Each line is a reason with what shows it, the best
    match first; the same options as for recall say which answer is meant. The reasons, as --json has them:

    {", ".join(REASONS)}.

    \b
    mnemolog why-not "I prefer Python."
    mnemolog why-not "Ada prefers Python" --query "Which language does Ada like?" --json
    """


@click.command(name="why-not", help=_HELP)
@click.argument("text")
@click.option("--query", help="The question whose answer it is missing from.")
@click.option("--now", type=TIME, help="Answer as at this time.")
@click.option("--as-of", type=TIME, help="Missing from what was true at this time (goes before --now).")
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="The most results.")
@click.option("--type", "types", type=click.Choice(NODE_TYPES), multiple=True, help="Only nodes of this type.")
@narrowing_options
@json_option
@pass_context
def why_not(context: Context, /, text: str, as_json: bool, **options: Any) -> None:  # noqa: FBT001
    """Looks for the reasons, and prints them."""
    text = clean(text)
    if not text.strip():
        raise InvalidInput("give the TEXT that is missing")
    with context.reader() as connection:
        found, unsearched = _found(context, connection, text, _question(context, options))
    if as_json:
        print_json({"text": text, "findings": as_object(found), "not_searched": unsearched})
        return
    for finding in found[:FINDINGS_SHOWN]:
        _tell(finding)
    if len(found) > FINDINGS_SHOWN:
        click.echo(f"… and {len(found) - FINDINGS_SHOWN} more: --json shows them")
    if unsearched:
        click.echo(f"mnemolog: what is not folded yet was not looked at: {unsearched}", err=True)


def _question(context: Context, options: dict[str, Any]) -> Question:
    """The question with its options; an empty one where none was asked."""
    axes = Axes(now=options["now"], as_of=options["as_of"])
    return Question(
        query=clean(options["query"] or ""),
        now=axes.at,
        limit=options["limit"],
        types=options["types"] or None,
        **search_options(context, axes, options),
    )


def _found(
    context: Context, connection: apsw.Connection, text: str, question: Question
) -> tuple[list[Finding], str | None]:
    """The reasons, found in the state of the file in which the question was answered; and why not all was searched."""
    embedder = context.embedder() if question.query else None
    beside, unsearched = _beside(context, connection)
    for _ in range(_ATTEMPTS):
        before = connection.pragma("data_version")
        asked: Answer | None = None if embedder is None else answer(connection, question, embedder)
        with read_transaction(connection):
            found = reasons_of(connection, text, now=question.now, beside=beside, asked=asked)
            if asked is None or connection.pragma("data_version") == before:
                break
    return found, unsearched


def _beside(context: Context, connection: apsw.Connection) -> tuple[Surroundings, str | None]:
    """What lies beside the file, as far as Redis says it; none is started for it."""
    archive = context.settings.archive
    url = context.running_redis()
    if url is None:
        pending = log.read(archive, None, position_of(connection))
        return Surroundings(archive=archive, pending=list(islice(pending, MOST_PENDING))), "no Redis runs here"
    stream = context.stream(url)
    try:
        pending = log.read(archive, stream, position_of(connection))
        waiting = status.waiting(stream)
        return Surroundings(archive=archive, pending=list(islice(pending, MOST_PENDING)), waiting=waiting), None
    except (LogUnavailable, LogRefused, LogFull) as error:
        return Surroundings(archive=archive), str(error)


def _tell(finding: Finding) -> None:
    what = {"dead_letter": "parked entry", "entry": "entry"}.get(finding.kind, finding.kind)
    named = " ".join(filter(None, (what, finding.node_id, f"({finding.match})" if finding.match else "")))
    click.echo(f"{finding.reason}  {short(finding.detail, 400)}")
    if finding.content:
        click.echo(f"    {named}: “{short(finding.content)}”")


COMMANDS = (why_not,)
