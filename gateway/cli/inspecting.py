"""Commands that look at a space: status, verify."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec

from mnemolog.gateway.cli.context import Context, console, json_option, pass_context, print_json
from mnemolog.projections import status as facts
from mnemolog.projections.integrity import verify as verify_file
from mnemolog.projections.spending import by_day
from mnemolog.schema.errors import LogFull, LogRefused, LogUnavailable, SpaceNotFound
from mnemolog.schema.ids import START

VERIFY_FAILED = 9


def _log_facts(context: Context, position: Any) -> dict[str, Any]:
    """What Redis says of the log; nulls and the reason where it does not answer."""
    url = context.running_redis()
    if url is None:
        # The embedded server is started with what the settings ask for.
        return {"lag_events": None, "durability": context.settings.durability, "stream": None, "redis": "not running"}
    stream = context.stream(url)
    try:
        return {
            "stream": facts.stream_facts(stream, context.settings.archive),
            "lag_events": facts.lag(stream, position),
            "waiting": facts.waiting(stream),
            "durability": facts.durability(stream.client),
            "redis": "running",
        }
    except (LogUnavailable, LogRefused, LogFull) as error:
        return {"lag_events": None, "durability": "unknown", "stream": None, "redis": str(error)}


def collect(context: Context) -> dict[str, Any]:
    """Everything `status` says. Raises SpaceNotFound where there is neither a file nor a stream."""
    try:
        with context.reader() as connection:
            counts: dict[str, Any] = msgspec.structs.asdict(facts.counts(connection))
            counts["writer"] = facts.holder(connection)
            counts["spent_by_day"] = by_day(connection)
    except SpaceNotFound:
        counts = {"position": START, "nodes": {}, "edges": {}}
    log = _log_facts(context, counts["position"])
    if "writer" not in counts and log["stream"] is None:
        raise SpaceNotFound(
            f"there is no space {context.settings.space!r} in {context.settings.data}: publish something first"
        )
    return {
        "space": context.settings.space,
        "position": counts.pop("position"),
        "lag_events": log["lag_events"],
        "durability": log["durability"],
        "jobs_waiting": log.get("waiting") or {},
        **counts,
        "log": {
            "archive": facts.archive_facts(context.settings.archive),
            "stream": log["stream"],
            "redis": log["redis"],
            "retention": facts.retention(context.settings),
        },
        "file_bytes": context.settings.file.stat().st_size if context.settings.file.exists() else 0,
    }


@click.command()
@json_option
@pass_context
def status(context: Context, as_json: bool) -> None:  # noqa: FBT001
    """Show how far the space is, what it holds, who writes it, and what an acknowledged event survives.

    \b
    mnemolog status --json
    """
    found = collect(context)
    if as_json:
        print_json(found)
        return
    for name, value in _flat("", found):
        click.echo(f"{name:28} {value}")


def _flat(prefix: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, dict) and value:
        return [row for key, item in value.items() for row in _flat(f"{prefix}.{key}".lstrip("."), item)]
    return [(prefix, "-" if value is None or value == {} else str(value))]


@click.command()
@json_option
@pass_context
def verify(context: Context, as_json: bool) -> None:  # noqa: FBT001
    """Check the space's file: SQLite, every table against its checksum, edges, full text and vectors against nodes.

    Prints `hash` (equal for every replay of this log) and `content_hash` (equal for every log of the same story). Ends
    with status 9 when something is wrong; `mnemolog replay` builds the file again.

    \b
    mnemolog verify
    """
    with context.reader() as connection, console.status("checking") as shown:
        found = verify_file(connection, lambda what: shown.update(f"checking {what}"))
    if as_json:
        print_json({**msgspec.structs.asdict(found.hashes), "ok": not found.problems, "problems": found.problems})
    else:
        click.echo(f"hash         {found.hashes.hash}\ncontent_hash {found.hashes.content_hash}")
        click.echo(f"position     {found.hashes.position}")
    if found.problems:
        for problem in found.problems:
            click.echo(f"mnemolog: {problem}", err=True)
        click.echo("mnemolog: the file is not what the log says: build it again with `mnemolog replay`", err=True)
        sys.exit(VERIFY_FAILED)


COMMANDS = (status, verify)
