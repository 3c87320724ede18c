"""Commands about which machine keeps which space: home list, claim, release, move, name."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import click
import msgspec
import redis

from mnemolog.gateway.cli.context import FILE, Context, json_option, pass_context, print_json, progress_bar
from mnemolog.gateway.cli.telling import counted
from mnemolog.schema import archive, times
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.errors import InvalidInput, LogUnavailable
from mnemolog.schema.ids import Position
from mnemolog.schema.settings import Settings, spaces_in
from mnemolog.schema.stream import Stream, spaces_on
from mnemolog.workers.bundles import bundles
from mnemolog.workers.homes import claiming, moving
from mnemolog.workers.homes.claims import Claim, Claims
from mnemolog.workers.homes.homes import Homes
from mnemolog.workers.homes.machine import Machine, rename

WAIT_S = 60.0

_FOLDER = click.Path(file_okay=False, path_type=Path)
_via = click.option("--via", type=_FOLDER, metavar="DIR", help="A folder that both machines see.")


class SpaceHome(msgspec.Struct, frozen=True, kw_only=True):
    """A space's home: its claim, how far its writer is as far as is known, and whether that runs."""

    space: str
    machine: Machine | None
    epoch: int | None
    since: str | None
    to: Machine | None
    bundle: str | None
    position: str | None
    writer_runs: bool
    is_here: bool


class Found(msgspec.Struct, frozen=True):
    """The machine that asks, all that are known, and the homes of all spaces."""

    here: Machine
    machines: list[Machine]
    spaces: list[SpaceHome]


@contextmanager
def _redis(context: Context) -> Iterator[redis.Redis]:
    with context.redis() as url, closing(log_client(url)) as client:
        yield client


@click.group()
def home() -> None:
    """Say which machine keeps which space, and move spaces between machines.

    \b
    mnemolog home list
    """


@home.command(name="list")
@click.option("--check", is_flag=True, help="End with status 1 where no writer runs for a space that is at home here.")
@json_option
@pass_context
def list_(context: Context, check: bool, as_json: bool) -> None:  # noqa: FBT001
    """List this machine, the others, and the home of every space.

    \b
    mnemolog home list
    mnemolog home list --check
    """
    url = context.running_redis()
    if url is None:
        raise LogUnavailable(f"no Redis is running for {context.settings.data}: start `mnemolog up`, or give --redis")
    with closing(log_client(url)) as client:
        homes = Homes(client, context.settings.data)
        homes.claims.introduce(homes.machine)
        machines = homes.claims.machines()
        names = {machine.id: machine.name for machine in machines}
        found = Found(homes.machine, machines, _homes_of(client, homes.claims, context.settings.data, names))
    if as_json:
        print_json(found)
    else:
        _show(found)
    if check and any(_stands_still(space, found.here) for space in found.spaces):
        sys.exit(1)


def _stands_still(space: SpaceHome, here: Machine) -> bool:
    return space.machine is not None and space.machine.id == here.id and space.to is None and not space.writer_runs


def _homes_of(client: redis.Redis, claims: Claims, data: Path, names: Mapping[str, str]) -> list[SpaceHome]:
    here = set(spaces_in(data))
    spaces = sorted({*spaces_on(client), *claims.claimed(), *here})
    claimed, progress = claims.of_all(spaces), claims.progress(spaces)
    return [_home_of(space, claimed.get(space), progress.get(space), names, is_here=space in here) for space in spaces]


def _home_of(
    space: str, claim: Claim | None, progress: Position | None, names: Mapping[str, str], *, is_here: bool
) -> SpaceHome:
    offer = claim.offer if claim else None
    return SpaceHome(
        space=space,
        machine=Machine(claim.machine, names.get(claim.machine, claim.name)) if claim and claim.machine else None,
        epoch=claim.epoch if claim else None,
        since=times.show(claim.since) if claim else None,
        to=claim.to if claim else None,
        bundle=offer.bundle if offer else None,
        position=str(progress) if progress else offer.position if offer else None,
        writer_runs=progress is not None,
        is_here=is_here,
    )


def _show(found: Found) -> None:
    click.echo(f"this machine: {found.here}")
    for machine in found.machines:
        kept = sum(space.machine is not None and space.machine.id == machine.id for space in found.spaces)
        if machine.id != found.here.id or kept:
            click.echo(f"  {machine}: {counted(kept, 'space')}")
    for space in found.spaces:
        click.echo(f"{space.space}  {_shown(space, found.here)}")


def _shown(space: SpaceHome, here: Machine) -> str:
    if space.machine is None:
        return "released: claim it by hand" if space.epoch else "has no home yet: the next writer takes it"
    parts = ["here" if space.machine.id == here.id else str(space.machine), f"since {space.since}"]
    if space.to is not None:
        parts.append(f"{'packed as ' + space.bundle if space.bundle else 'is being packed'} for {space.to}")
    if space.position:
        parts.append(f"at {space.position}")
    parts.append("its writer runs" if space.writer_runs else "no writer runs")
    if space.is_here and space.machine.id != here.id:
        parts.append("an old copy is here")
    return ", ".join(parts)


@home.command()
@click.argument("space")
@click.option("--bundle", type=FILE, help="What the old home packed, or the newest bundle there is.")
@_via
@click.option("--force", is_flag=True, help="Take it from a machine that is lost, with what is lost with it.")
@json_option
@pass_context
def claim(
    context: Context,
    space: str,
    bundle: Path | None,
    via: Path | None,
    force: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Make this machine the home of a space: one that was moved here, or that has none, or that stays here after all.

    A space of another machine is refused, since its archive is there. If that machine is lost for good, import the
    newest bundle with --bundle and --force: what was archived after it and is no longer in the stream is lost.

    \b
    mnemolog home claim ada --bundle ada-1.tar
    mnemolog home claim ada --via /mnt/moving
    """
    settings = context.settings.of_space(space)
    with _redis(context) as client:
        homes = Homes(client, settings.data)
        packed = bundle or _bundle_in(via, homes.claims, space)
        total = bundles.manifest_of(packed).entries if packed else None
        with progress_bar("folding", total) as advance:
            found = claiming.claim(
                homes, settings, Stream(client, space), packed, context.embedder(), advance, force=force
            )
    if as_json:
        print_json(found)
        return
    click.echo(f"space {space} is at home here, on {homes.machine}; before: {found.before}")
    if found.missing:
        click.echo(
            f"mnemolog: not all of it is here: {found.missing}. Write on with `mnemolog --space {space} ingest "
            "--accept-stream`, or restore its archive first",
            err=True,
        )


def _bundle_in(via: Path | None, claims: Claims, space: str) -> Path | None:
    if via is None:
        return None
    found = claims.of(space)
    if found is None or found.offer is None:
        raise InvalidInput(f"nothing of space {space!r} was packed for a move: leave out --via")
    return via / found.offer.bundle


@home.command()
@click.argument("space")
@json_option
@pass_context
def release(context: Context, space: str, as_json: bool) -> None:  # noqa: FBT001
    """Give up a space of this machine. No machine takes it by itself then; `home claim` gives it a home again.

    \b
    mnemolog home release ada
    """
    settings = context.settings.of_space(space)
    with _redis(context) as client:
        homes = Homes(client, settings.data)
        released = claiming.release(homes, settings)
    if as_json:
        print_json(released)
    else:
        click.echo(f"space {space} has no home now; its file and archive are in {settings.folder}")


@home.command()
@click.argument("space")
@click.option("--to", "named", required=True, metavar="MACHINE", help="The new home, by its id or name in `home list`.")
@_via
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=WAIT_S, show_default=True, help="Seconds for its writer to stop."
)
@json_option
@pass_context
def move(
    context: Context,
    space: str,
    named: str,
    via: Path | None,
    timeout: float,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Move a space of this machine to another: stop writing it here, fold what is there, pack it for the new home.

    Publishing goes on meanwhile: what comes waits in the stream. Interrupted, the same command goes on; `home claim`
    here keeps the space instead, until the new home has claimed it.

    \b
    mnemolog home move ada --to bravo
    mnemolog home move ada --to bravo --via /mnt/moving
    """
    settings = context.settings.of_space(space)
    with _redis(context) as client:
        homes = Homes(client, settings.data)
        to = homes.claims.machine(named)
        folder = (via or settings.data / "moving").absolute()
        with progress_bar("packing", archive.count(settings.archive)) as advance:
            offered = moving.leave(
                homes, settings, Stream(client, space), to, folder, context.embedder(), timeout, advance
            )
    if as_json:
        print_json(offered)
    else:
        _show_next(settings, offered, folder, shared=via is not None)


def _show_next(settings: Settings, offered: Claim, folder: Path, *, shared: bool) -> None:
    if offered.offer is None or offered.to is None:
        return
    bundle = folder / offered.offer.bundle
    click.echo(f"space {settings.space} stopped here at {offered.offer.position} and is packed in {bundle}")
    step = f"--via {folder}" if shared else f"--bundle {bundle.name}"
    bring = "run" if shared else "bring the file there, and run"
    click.echo(f"now, on {offered.to}, {bring}: mnemolog home claim {settings.space} {step}")


@home.command()
@click.argument("name")
@pass_context
def name(context: Context, name: str) -> None:
    """Give this machine a name for people, in place of its host's; its id stays.

    \b
    mnemolog home name alpha
    """
    renamed = rename(context.settings.data, name)
    with _redis(context) as client:
        Claims(client).introduce(renamed)
    click.echo(f"this machine: {renamed}")


COMMANDS = (home,)
