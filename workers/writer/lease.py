"""The lease of a space: one row that says who may write, and an epoch that the database mints with each new holder."""

from __future__ import annotations

import os
import socket
import time

import apsw
import msgspec
import psutil

from mnemolog.schema.errors import SpaceHeld, StaleWriter
from mnemolog.workers.writer.space_file import immediate

START_TICK_MS = 2_000


class Holder(msgspec.Struct, frozen=True):
    """A process: its host's name, its number, and when it started (UTC milliseconds; numbers are used again)."""

    host: str
    pid: int
    process_started_at: int


class Lease(msgspec.Struct, frozen=True):
    """The lease as it stands in a file; times are UTC milliseconds."""

    epoch: int
    holder: Holder
    renewed_at: int


def this_process() -> Holder:
    """The process that asks."""
    return Holder(socket.gethostname(), os.getpid(), _started_at(os.getpid()) or 0)


def _started_at(pid: int) -> int | None:
    """When a process started; None for one that is not there, or is dead and only waits for its parent to notice."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else int(process.create_time() * 1000)
    except psutil.Error:
        return None


def now_ms() -> int:
    """The machine's clock, in UTC milliseconds."""
    return time.time_ns() // 1_000_000


def read(connection: apsw.Connection) -> Lease:
    """The lease in a file."""
    epoch, host, pid, started, renewed_at = connection.execute(
        "SELECT epoch, host, pid, process_started_at, renewed_at FROM lease"
    ).get
    return Lease(epoch, Holder(host, pid, started), renewed_at)


def is_live(lease: Lease, lease_s: float) -> bool:
    """Whether the holder may still write: not released, not stale, and, on this host, its process not gone."""
    if lease.holder.pid == 0 or now_ms() - lease.renewed_at > lease_s * 1000:
        return False
    if lease.holder.host != socket.gethostname():
        return True
    started = _started_at(lease.holder.pid)
    # The start time is derived from the time of boot, which may be read a tick apart.
    return started is not None and abs(started - lease.holder.process_started_at) < START_TICK_MS


def acquire(connection: apsw.Connection, space: str, lease_s: float) -> int:
    """Takes the space for this process and gives the new epoch.

    Raises SpaceHeld, naming the holder, while another live process has it or is in the middle of a transaction.
    """
    try:
        with immediate(connection):
            refuse_if_held(connection, space, lease_s)
            me = this_process()
            epoch = connection.execute(
                "UPDATE lease SET epoch = epoch + 1, host = ?, pid = ?, process_started_at = ?, renewed_at = ? "
                "RETURNING epoch",
                (me.host, me.pid, me.process_started_at, now_ms()),
            ).get
    except apsw.BusyError:
        held = read(connection).holder
        raise SpaceHeld(
            f"space {space!r}: another process is in the middle of a transaction that does not end; the last holder "
            f"was process {held.pid} on {held.host}. If it is stopped, continue it or kill it"
        ) from None
    return int(epoch)


def refuse_if_held(connection: apsw.Connection, space: str, lease_s: float) -> None:
    """Raises SpaceHeld, naming the holder, while a live process has the space."""
    lease = read(connection)
    if is_live(lease, lease_s):
        held = lease.holder
        raise SpaceHeld(
            f"space {space!r} is held by process {held.pid} on {held.host}, which renewed its lease "
            f"{max(0, now_ms() - lease.renewed_at) / 1000:.1f} s ago; stop that process first, or wait until its "
            f"lease of {lease_s:g} s is over"
        )


def check(connection: apsw.Connection, space: str, epoch: int) -> None:
    """Inside a transaction: raises StaleWriter unless the epoch is still this writer's."""
    lease = read(connection)
    if lease.epoch != epoch:
        raise StaleWriter(
            f"space {space!r} was taken over by process {lease.holder.pid} on {lease.holder.host} "
            f"(epoch {lease.epoch}, this writer has {epoch}); this writer stops"
        )


def renew(connection: apsw.Connection) -> None:
    """Inside a transaction of the holder: says that it is alive."""
    connection.execute("UPDATE lease SET renewed_at = ?", (now_ms(),))


def release(connection: apsw.Connection, epoch: int) -> None:
    """Gives the space back, if it is still this writer's; the epoch stays."""
    with immediate(connection):
        connection.execute("UPDATE lease SET pid = 0, renewed_at = 0 WHERE epoch = ?", (epoch,))
