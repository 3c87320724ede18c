"""Commands that read the recall log: recalls list, show."""

from __future__ import annotations

from typing import Any

import click

from mnemolog.gateway.cli.context import TIME, Context, json_option, pass_context, print_json, progress_bar, say_if_none
from mnemolog.gateway.cli.telling import as_object, short, shown
from mnemolog.projections import recalls as recall_log
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.lines.citations import resolve
from mnemolog.projections.lines.rendering import FORMAT
from mnemolog.projections.recalls import Recorded, missing, salt_of, text_again
from mnemolog.schema.recalls import text_digest
from mnemolog.schema.times import show as show_time
from mnemolog.workers.rebuilding.known import opened


@click.group()
def recalls() -> None:
    """What was asked of the memory, and what it answered: the recall log.

    \b
    mnemolog recalls list --query "Which language"
    """


@recalls.command(name="list")
@click.option("--since", type=TIME, help="Only what was asked from this time on.")
@click.option("--query", metavar="TEXT", help="Only this question: a part of it, or all of one that is kept hashed.")
@click.option("--node", metavar="ID", help="Only answers that told this node.")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=recall_log.DEFAULT_LIMIT,
    show_default=True,
    help="The most recalls.",
)
@json_option
@pass_context
def list_(context: Context, /, limit: int, as_json: bool, **given: Any) -> None:  # noqa: FBT001
    """List recalls, the newest first: id, when it was asked, recall or context, how many lines it told, the question.

    MNEMOLOG_RECALL_LOG says what is kept of a question: its text (`text`), only a salted hash (`hash`), or nothing of
    the whole recall (`off`).

    \b
    mnemolog recalls list --node ce-1f0c --since 2026-03-09T00:00:00Z
    """
    with context.reader() as connection, read_transaction(connection):
        node_id = None if given["node"] is None else resolve(connection, given["node"])
        found = recall_log.recalls(connection, since=given["since"], query=given["query"], node_id=node_id, limit=limit)
    if as_json:
        print_json([_as_object(one) for one in found])
        return
    say_if_none(found, "no such recall is recorded")
    for one in found:
        told = f"{len(one.lines)} line{'' if len(one.lines) == 1 else 's'}"
        click.echo(f"{one.recall_id}  {show_time(one.asked_at)}  {one.kind:7}  {told:>8}  {short(_question(one))}")


@recalls.command()
@click.argument("recall", metavar="ID")
@json_option
@click.pass_context
def show(ctx: click.Context, recall: str, as_json: bool) -> None:  # noqa: FBT001
    """Show a past answer as it was given, byte for byte, whatever has changed since.

    It is told again from the log as of the position that was read then, and compared with the digest of what was
    given. Where that differs, because something was erased or another version tells the same lines in other words,
    it is said, and the exit status is 1. Of `context` the text is printed alone, of `recall` what was found, by ids.
    ID is a recall's id, or the beginning of it.

    \b
    mnemolog recalls show rc-1f0c
    """
    context: Context = ctx.obj
    with context.reader() as connection, read_transaction(connection):
        recorded = recall_log.recall_of(connection, recall)
        salt = salt_of(connection)
    with (
        progress_bar("folding", None) as folded,
        opened(context.settings, context.embedder(), recorded.position, progress=folded) as then,
        read_transaction(then.connection),
    ):
        text = text_again(then.connection, recorded)
        lost = missing(then.connection, recorded)
    is_exact = text_digest(salt, text) == recorded.digest
    if as_json:
        print_json({**_as_object(recorded), "text": text, "exact": is_exact, "missing": lost})
    else:
        _tell(recorded, text)
    if not is_exact:
        click.echo(f"mnemolog: this is not exactly what was answered then: {_reason(recorded, lost)}", err=True)
        ctx.exit(1)


def _tell(recorded: Recorded, text: str) -> None:
    options = ", ".join(f"{name} {shown(str(value))}" for name, value in recorded.options.items())
    asked = f"{recorded.kind} asked at {show_time(recorded.asked_at)}: {short(_question(recorded))}"
    click.echo(f"{asked}\n({options or 'no options'}; the file at {recorded.position})", err=True)
    if recorded.kind == "context" and text:
        click.echo(text)
    elif not recorded.lines:
        click.echo("nothing relevant", err=True)
    else:
        click.echo(shown(text))


def _question(recorded: Recorded) -> str:
    if recorded.query:
        cut = recorded.query_chars > len(recorded.query)
        return recorded.query + (f" … ({recorded.query_chars:,} characters)" if cut else "")
    return f"(text not kept, hash {recorded.query_hash})" if recorded.query_chars else "(an empty question)"


def _reason(recorded: Recorded, lost: list[str]) -> str:
    if lost:
        return f"the memory does not have {len(lost)} of its {len(recorded.lines)} lines any more"
    if recorded.options.get("format", FORMAT) != FORMAT:
        return "this version of mnemolog tells the same lines in other words"
    return "the same lines are told otherwise, by another version or since something was erased or undone"


def _as_object(recorded: Recorded) -> dict[str, Any]:
    told: dict[str, Any] = as_object(recorded)
    lines = [{"kind": line.kind, "id": line.id} for line in recorded.lines]
    return {**told, "lines": lines}


COMMANDS = (recalls,)
