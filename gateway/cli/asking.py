"""Commands that address the memory itself: remember, correct, forget, confirm, unpin, unsupersede, verdicts."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

import apsw
import click
import msgspec

from mnemolog.gateway.cli.context import Context, json_option, now_ms, pass_context, print_json
from mnemolog.gateway.cli.facts import as_line, as_object
from mnemolog.gateway.folding import Folded, await_folded
from mnemolog.producers import Producer, Published
from mnemolog.producers.requests import Requests, checked_text
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.facts import Fact, cell_of, fact, facts, find_fact, saying_the_same
from mnemolog.projections.history import Quotation
from mnemolog.projections.history import evidence as evidence_of
from mnemolog.projections.matching import Matches, matching
from mnemolog.projections.verdicts import PairOfFacts, retiring
from mnemolog.projections.verdicts import verdicts as verdicts_in
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.ids import EventIds

_NODE = re.compile(r"ce-[0-9a-f]{1,20}")

_node = click.argument("node")
_no_wait = click.option("--no-wait", is_flag=True, help="Return when the log has it, without waiting for the writer.")


def _statements() -> Any:
    """The module that reads statements. Its rules take half as long to load as a command: only who needs them waits."""
    return import_module("mnemolog.gateway.statements")


def _ask(context: Context, request: Callable[[Requests], Published], *, no_wait: bool) -> Folded:
    """Sends a request and waits until it is folded, where a writer runs."""
    with context.redis() as url:
        with Producer(context.settings.space, redis_url=url) as producer:
            published = request(Requests(producer))
        return await_folded(context.settings, context.stream(url), published, wait=not no_wait)


def _tell(done: Folded, what: str, *, as_json: bool) -> None:
    """Says what became of a request."""
    if as_json:
        added = [{"node_id": node_id, "content": content} for node_id, content in done.facts]
        refused = [{"reason": reason, "detail": detail} for reason, detail in done.refused]
        print_json({**msgspec.structs.asdict(done), "facts": added, "refused": refused})
        return
    click.echo(what if done.folded else f"{what} (published)")
    for node_id, content in done.facts:
        click.echo(f"{node_id}  {content}")
    for reason, detail in done.refused:
        click.echo(f"mnemolog: not taken over ({reason}): {detail}", err=True)
    if done.why_not:
        click.echo(f"mnemolog: {done.why_not}", err=True)


def _found(context: Context, node: str) -> Fact:
    """The fact that a node id, or the beginning of one, names. Raises InvalidInput and SpaceNotFound."""
    with context.reader() as connection, read_transaction(connection):
        found = fact(connection, find_fact(connection, node), now_ms())
    if found is None:
        raise InvalidInput(f"there is no fact {node!r}")
    return found


@click.command()
@click.argument("text")
@click.option("--speaker", help="Who says so: a stable name or id.")
@_no_wait
@json_option
@pass_context
def remember(context: Context, text: str, speaker: str | None, no_wait: bool, as_json: bool) -> None:  # noqa: FBT001
    """Have something remembered as it is said: believed fully, without a model.

    What the rules do not understand is kept as a note in its own words.

    \b
    mnemolog remember "My locker is number 17." --speaker Ada
    """
    event_id = EventIds().mint()
    cells = _statements().read_cells(checked_text(text), event_id, speaker, now_ms())
    done = _ask(context, lambda ask: ask.remember(text, cells, event_id, speaker=speaker), no_wait=no_wait)
    _tell(done, "remembered", as_json=as_json)


@click.command()
@_node
@click.argument("text")
@_no_wait
@json_option
@pass_context
def correct(context: Context, node: str, text: str, no_wait: bool, as_json: bool) -> None:  # noqa: FBT001
    """Say what is true instead of a fact that never was: TEXT takes its place from its beginning.

    NODE is a fact's id, or the beginning of it. TEXT is a sentence, or the right value alone. A fact that was true
    and is not any more is not corrected: say what is true now, with `publish` or `remember`.

    \b
    mnemolog correct ce-1f0c "I work at Bolt."
    """
    with context.reader() as connection, read_transaction(connection):
        node_id = find_fact(connection, node)
        wrong = cell_of(connection, node_id)
    event_id = EventIds().mint()
    cells = _statements().read_correction(checked_text(text), event_id, wrong, now_ms())
    done = _ask(
        context,
        lambda ask: ask.correct(node_id, text, cells, event_id, speaker=wrong.stated_by or wrong.subject),
        no_wait=no_wait,
    )
    _tell(done, f"corrected {node_id}: {wrong.content}", as_json=as_json)


@click.command()
@_node
@_no_wait
@json_option
@pass_context
def confirm(context: Context, node: str, no_wait: bool, as_json: bool) -> None:  # noqa: FBT001
    """Confirm a fact: it does not fade any more. What is said later still supersedes it.

    NODE is a fact's id, or the beginning of it.

    \b
    mnemolog confirm ce-1f0c
    """
    found = _found(context, node)
    if found.status in ("forgotten", "corrected"):
        raise InvalidInput(f"{found.node_id} was {found.status}: there is nothing to confirm")
    done = _ask(context, lambda ask: ask.confirm(found.node_id), no_wait=no_wait)
    _tell(done, f"confirmed {found.node_id}: {found.content}", as_json=as_json)


@click.command()
@_node
@_no_wait
@json_option
@pass_context
def unpin(context: Context, node: str, no_wait: bool, as_json: bool) -> None:  # noqa: FBT001
    """Take a confirmation back: the fact fades again unless it is recalled.

    NODE is a fact's id, or the beginning of it.

    \b
    mnemolog unpin ce-1f0c
    """
    found = _found(context, node)
    done = _ask(context, lambda ask: ask.unpin(found.node_id), no_wait=no_wait)
    _tell(done, f"unpinned {found.node_id}: {found.content}", as_json=as_json)


@click.command()
@_node
@_no_wait
@json_option
@pass_context
def unsupersede(context: Context, node: str, no_wait: bool, as_json: bool) -> None:  # noqa: FBT001
    """Say that a fact still holds beside those that took its place: it is live again, and no engine changes that.

    NODE is a fact's id, or the beginning of it.

    \b
    mnemolog unsupersede ce-1f0c
    """
    with context.reader() as connection, read_transaction(connection):
        node_id = find_fact(connection, node)
        others = retiring(connection, node_id)
        content = cell_of(connection, node_id).content
    done = _ask(context, lambda ask: ask.separate(node_id, others)[-1], no_wait=no_wait)
    _tell(done, f"{node_id} holds beside {', '.join(others)}: {content}", as_json=as_json)


# ---- forget ------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("text", metavar="TEXT|NODE")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_no_wait
@json_option
@pass_context
def forget(context: Context, text: str, yes: bool, no_wait: bool, as_json: bool) -> None:  # noqa: FBT001
    """Retire facts, and hide what they were taken from: they are not told any more, and no import brings them back.

    TEXT finds live facts, and only those that surely are meant; NODE is a fact's id, or the beginning of it. Shows
    first what it would touch, and asks. With --json and without --yes it only shows. A later statement is a new fact.

    \b
    mnemolog forget "my trip to Rome"
    mnemolog forget ce-1f0c --yes
    """
    with context.reader() as connection:
        matches = _meant(context, connection, text)
        with read_transaction(connection):
            said = _evidence(connection, matches)
    done = None
    if matches.meant and (yes or (not as_json and _agreed(matches, said))):
        node_ids = [found.node_id for found in matches.meant]
        done = _ask(context, lambda ask: ask.forget(node_ids), no_wait=no_wait)
    if as_json:
        print_json(_plan(matches, said, done))
    elif not matches.meant:
        click.echo("nothing is surely meant by that, so nothing was forgotten", err=True)
        for near in matches.nearest:
            click.echo(f"near: {as_line(near)}", err=True)
    elif done is not None:
        _tell(done, f"forgotten: {len(matches.meant)} facts, {len(said)} messages hidden", as_json=False)
    else:
        click.echo("nothing was forgotten")


def _meant(context: Context, connection: apsw.Connection, text: str) -> Matches:
    """The facts that a text or a node id means, with all that say the same."""
    if not _NODE.fullmatch(text):
        what = _statements().what_to_forget(text)
        return matching(connection, what, embedder=context.embedder(), now=now_ms())
    with read_transaction(connection):
        same = saying_the_same(connection, find_fact(connection, text), now_ms())
        return Matches(tuple(facts(connection, now_ms(), everything=True, node_ids=same)), ())


def _evidence(connection: apsw.Connection, matches: Matches) -> list[Quotation]:
    """The messages that the facts were taken from, each once."""
    said = {one.event_id: one for found in matches.meant for one in evidence_of(connection, found.node_id)}
    return list(said.values())


def _agreed(matches: Matches, said: list[Quotation]) -> bool:
    for found in matches.meant:
        click.echo(as_line(found))
    for one in said:
        click.echo(f"    hides {one.event_id}  {one.speaker or 'somebody'}: {' '.join(one.content.split())[:200]}")
    return click.confirm("Forget this?", default=False)


def _plan(matches: Matches, said: list[Quotation], done: Folded | None) -> dict[str, Any]:
    return {
        "facts": [as_object(found) for found in matches.meant],
        "hides": [{"event_id": one.event_id, "content": one.content} for one in said],
        "nearest": [as_object(found) for found in matches.nearest],
        "forgotten": done is not None,
        "event_id": done.event_id if done else None,
        "position": done.position if done else None,
        "folded": done.folded if done else False,
    }


# ---- verdicts ----------------------------------------------------------------------------------------------------


@click.group()
def verdicts() -> None:
    """Verdicts that would retire too much at once: each waits until you approve or reject it.

    \b
    mnemolog verdicts list
    """


@verdicts.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Those in force and rejected ones too.")
@json_option
@pass_context
def list_(context: Context, everything: bool, as_json: bool) -> None:  # noqa: FBT001
    """List the verdicts that wait.

    \b
    mnemolog verdicts list --all
    """
    with context.reader() as connection:
        found = verdicts_in(connection, everything=everything)
    if as_json:
        print_json(found)
        return
    for pair in found:
        click.echo(f"{pair.state:9} {pair.ruling} ({pair.judge}{': ' + pair.kind if pair.kind else ''})")
        click.echo(f"    {pair.first}  {pair.first_content}")
        click.echo(f"    {pair.second}  {pair.second_content}")


_pair = (
    click.argument("node", required=False),
    click.argument("other", required=False),
    click.option("--all", "everything", is_flag=True, help="All that wait."),
    _no_wait,
    json_option,
)


def _with_pair(command: Callable[..., None]) -> Callable[..., None]:
    for part in reversed(_pair):
        command = part(command)
    return command


@verdicts.command()
@_with_pair
@pass_context
def approve(context: Context, /, **given: Any) -> None:
    """Bring verdicts that wait into force: those about NODE, the one between NODE and OTHER, or --all.

    \b
    mnemolog verdicts approve ce-1f0c
    """
    _review(context, approved=True, **given)


@verdicts.command()
@_with_pair
@pass_context
def reject(context: Context, /, **given: Any) -> None:
    """Reject verdicts that wait: those about NODE, the one between NODE and OTHER, or --all.

    \b
    mnemolog verdicts reject ce-1f0c ce-93ab
    """
    _review(context, approved=False, **given)


def _review(
    context: Context,
    *,
    approved: bool,
    node: str | None,
    other: str | None,
    everything: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    if (node is None) == (not everything):
        raise InvalidInput("name a NODE (and an OTHER), or give --all")
    with context.reader() as connection, read_transaction(connection):
        named = {find_fact(connection, one) for one in (node, other) if one is not None}
        pairs = _held(verdicts_in(connection), named)
    done = _ask(context, lambda ask: ask.review(pairs, approved=approved), no_wait=no_wait)
    _tell(done, f"{'approved' if approved else 'rejected'}: {len(pairs)} verdicts", as_json=as_json)


def _held(held: list[PairOfFacts], named: set[str]) -> list[tuple[str, str]]:
    pairs = [(pair.first, pair.second) for pair in held if named <= {pair.first, pair.second}]
    if not pairs:
        raise InvalidInput("no verdict waits there: see `mnemolog verdicts list`")
    return pairs


COMMANDS = (remember, forget, correct, confirm, unpin, unsupersede, verdicts)
