"""The command that erases for good: erase."""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

import click
import msgspec

from mnemolog.gateway.cli.context import Context, json_option, pass_context, print_json
from mnemolog.gateway.cli.spooling import spool_option
from mnemolog.gateway.cli.telling import short
from mnemolog.producers import Producer
from mnemolog.producers.spool import Spool
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.progress import POLL_S, writer_position
from mnemolog.schema.codec import decode
from mnemolog.schema.controls import ErasedWhat, ErasureRequested
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.errors import InvalidInput, LogUnavailable, NewerEvent, SpaceHeld, Undecodable
from mnemolog.schema.ids import Position
from mnemolog.schema.stream import Stream
from mnemolog.schema.times import show
from mnemolog.workers.erasing import plans
from mnemolog.workers.erasing.matching import Asked, Matching
from mnemolog.workers.erasing.plans import Receipt
from mnemolog.workers.erasing.preview import Preview, hash_of, preview
from mnemolog.workers.erasing.selection import END
from mnemolog.workers.homes.homes import Homes
from mnemolog.workers.writer.space_writer import SpaceWriter

#: A large memory takes a while to be built again, and Redis to write its file anew.
TIMEOUT_S = 3600.0
PAGE = 256
SHOWN = 20
_EACH = get_args(ErasedWhat)


@click.command()
@click.option("--speaker", metavar="X", help="All that somebody said, under this name or id.")
@click.option("--session", metavar="S", help="A conversation.")
@click.option("--event", metavar="ID", help="A message, by its event id.")
@click.option("--space", "space", is_flag=True, help="All of this memory; its name, policy and log stay, empty.")
@click.option("--dry-run", is_flag=True, help="Show what would go, and leave it at that.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--resume", is_flag=True, help="Finish an erasure that was interrupted, where no writer runs.")
@spool_option
@json_option
@pass_context
def erase(
    context: Context,
    /,
    *,
    dry_run: bool,
    yes: bool,
    resume: bool,
    spool: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Erase what was said, and what was made of it, so that nothing of it is left in any file or in Redis.

    Shows first what would go, and asks. Facts that other messages say too are derived again from those. It cannot be
    undone, and the same import does not bring it back. What others said about it stays: erase their sessions too.

    \b
    mnemolog erase --speaker Ada --dry-run
    mnemolog erase --session monday --yes
    """
    if resume:
        receipts = _resumed(context)
        _tell(receipts, as_json=as_json)
        return
    what, name = _wanted(given)
    with context.reader() as connection, read_transaction(connection):
        salt = str(connection.execute("SELECT salt FROM space").get)
        asked = Asked(what, hash_of(connection, what, name), END)
        discard = partial(_discard, context, spool, Matching(salt, [asked]))
        try:
            found = preview(connection, context.settings, what, name)
        except InvalidInput:
            # What was never published may wait all the same.
            if dry_run or not yes or not discard():
                raise
            return
    if not as_json:
        _show(found)
    if dry_run:
        if as_json:
            print_json(found)
        return
    if not yes and not (not as_json and click.confirm("Erase this for good?", default=False, err=True)):
        raise InvalidInput("nothing was erased: it takes --yes, or a yes")
    discard()
    receipt = _carried_out(context, ErasureRequested(what=what, hash=asked.hash))
    _tell([receipt], as_json=as_json)


def _wanted(given: dict[str, Any]) -> tuple[ErasedWhat, str]:
    named = [what for what in _EACH if given[what]]
    if len(named) != 1:
        raise InvalidInput("say what is to be erased, one of --speaker, --session, --event and --space")
    return cast("ErasedWhat", named[0]), "" if named[0] == "space" else str(given[named[0]])


def _discard(context: Context, spool: Path | None, matching: Matching) -> int:
    """Takes what is named out of a spool on this machine, where one is used."""
    if spool is None:
        return 0

    def unwanted(body: bytes) -> bool:
        try:
            return matching.names(Position(0, 0), decode(body))
        except (Undecodable, NewerEvent):
            return matching.names_bytes(Position(0, 0), body)

    discarded = Spool(spool, context.settings.space).discard(unwanted)
    if discarded:
        click.echo(f"{discarded} events that waited in the spool {spool} were taken away", err=True)
    return discarded


# ---- asking for it -----------------------------------------------------------------------------------------------


def _carried_out(context: Context, payload: ErasureRequested) -> Receipt:
    """Puts the request on the log, and has it carried out: by the writer where one runs, else here."""
    with context.redis() as url:
        _refuse_elsewhere(context, url)
        with Producer(context.settings.space, redis_url=url) as producer:
            sent = producer.send(producer.event(payload))
        stream = context.stream(url)
        until = time.monotonic() + TIMEOUT_S
        while (receipt := plans.receipt_of(context.settings, str(sent.position))) is None:
            if writer_position(stream) is None:
                _write(context, stream)
                continue
            if time.monotonic() > until:
                raise LogUnavailable(f"asked for at {sent.position}, and the writer has not done it yet: it will")
            time.sleep(POLL_S)
        return receipt


def _refuse_elsewhere(context: Context, url: str) -> None:
    """Raises SpaceHeld for a space whose home is another machine, or will be: what is here is not all of it."""
    space = context.settings.space
    with closing(log_client(url)) as client:
        standing = Homes(client, context.settings.data).standing([space])
    if space in standing.elsewhere:
        raise SpaceHeld(f"space {space!r} is at home on another machine (`mnemolog home list`): erase there")
    if space in standing.waiting:
        raise SpaceHeld(f"nothing is erased while nobody writes the space: {standing.waiting[space]}")


def _write(context: Context, stream: Stream) -> None:
    """Takes the space, folds what is published, and so carries out what is asked for. Raises SpaceHeld."""
    writer = SpaceWriter(context.settings, stream, context.embedder())
    writer.open()
    try:
        while entries := stream.range(writer.position, PAGE):
            writer.fold(entries)
            writer.renew_if_due()
    finally:
        writer.close()


def _resumed(context: Context) -> list[Receipt]:
    plan = plans.read(context.settings)
    if plan is None:
        raise InvalidInput("no erasure was interrupted: there is nothing to finish")
    with context.redis() as url:
        _write(context, context.stream(url))
    found = [plans.receipt_of(context.settings, asked.position) for asked in plan.head.asked]
    return [receipt for receipt in found if receipt is not None]


# ---- telling -----------------------------------------------------------------------------------------------------


def _show(found: Preview) -> None:
    _list(
        "messages that go", [f"{show(one.occurred_at)}  {one.speaker or '-'}: {one.content}" for one in found.messages]
    )
    _list("facts that go", [fact.content for fact in found.facts if not fact.again])
    _list("facts that are derived again from what is left", [fact.content for fact in found.facts if fact.again])
    _list("scenes that are told anew, or go", found.scenes)
    gone = [f"{one.position}  {one.kind} by {one.model or one.engine}" for one in found.outcomes if not one.reply_only]
    _list("outcomes that go with their replies", gone)
    click.echo(f"recorded replies that go: {found.erased.replies}")
    click.echo(f"recalls that lose what they asked and told: {found.erased.recalls}")
    click.echo(f"decisions that lose their fact: {found.erased.requests}")
    if found.others_said:
        click.echo(f"{found.others_said} messages of others in the same conversations stay, and may repeat it")


def _list(what: str, lines: list[str] | tuple[str, ...]) -> None:
    click.echo(f"{what}: {len(lines)}")
    for line in lines[:SHOWN]:
        click.echo(f"    {short(line)}")
    if len(lines) > SHOWN:
        click.echo(f"    … and {len(lines) - SHOWN} more (--json tells all)")


def _tell(receipts: list[Receipt], *, as_json: bool) -> None:
    if as_json:
        print_json(receipts[0] if len(receipts) == 1 else receipts)
        return
    for receipt in receipts:
        took = ", ".join(f"{count} {name}" for name, count in msgspec.structs.asdict(receipt.erased).items() if count)
        click.echo(
            f"erased on {show(receipt.done_at)} in {receipt.seconds:g} s, as asked at {receipt.position}: {took}"
        )
        click.echo("out of reach:")
        for left in receipt.out_of_reach:
            click.echo(f"    {left}")


COMMANDS = (erase,)
