"""Commands for the work on what was said: worker, jobs list, jobs show, jobs requeue."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, cast

import click
import redis

from mnemolog.gateway import logs
from mnemolog.gateway.cli.context import Context, json_option, pass_context, print_json, say_if_none
from mnemolog.gateway.cli.telling import shown
from mnemolog.producers import Producer
from mnemolog.projections import jobs as work
from mnemolog.projections.jobs import Job
from mnemolog.schema import troubles
from mnemolog.schema.endpoint import log_client, without_password
from mnemolog.schema.errors import InvalidInput, LogUnavailable
from mnemolog.schema.jobs import QUEUES
from mnemolog.schema.outcomes import JobKind
from mnemolog.schema.requests import JobRequeued
from mnemolog.schema.times import show as show_time
from mnemolog.schema.troubles import Trouble, job_name
from mnemolog.workers.supervisor import Workers

POLL_S = 0.2
OPEN = ("due", "failed")
ALL = (*OPEN, "done", "void")
SHOWN_KEY = 12

_job = click.argument("job", metavar="JOB")


class _Asked:
    """Whether the process was asked to end, and whether it was asked again."""

    def __init__(self) -> None:
        self.once = threading.Event()
        self.again = False

    def __call__(self, number: int, _: FrameType | None) -> None:
        self.again = self.once.is_set()
        self.once.set()


@contextmanager
def _signals() -> Iterator[_Asked]:
    asked = _Asked()
    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@click.command()
@click.option("--queue", "kind", type=click.Choice(QUEUES), required=True, help="Which jobs to do.")
@click.option(
    "-n", "count", type=click.IntRange(1, 256), default=1, show_default=True, help="How many worker processes."
)
@pass_context
def worker(context: Context, kind: str, count: int) -> None:
    """Run workers for one queue, for the jobs of every space on this Redis, until Ctrl-C or SIGTERM.

    They need Redis and, with MNEMOLOG_MODEL, a model; never the data folder: run as many as you like on any machine.
    When asked to end they finish the job they are at; asked again, they end at once, and the job is done again later.

    \b
    mnemolog --redis redis://memory.example worker --queue extract -n 4
    """
    url = context.running_redis()
    if url is None:
        raise LogUnavailable(
            f"no Redis is running for {context.settings.data}: start `mnemolog up`, or name one with --redis"
        )
    with _signals() as asked:
        workers = Workers([cast("JobKind", kind)] * count, context.running_redis)
        workers.check()
        logs.say(f"{count} {kind} worker(s) at {without_password(url)}; Ctrl-C finishes and stops")
        while not asked.once.wait(POLL_S):
            workers.check()
        workers.ask_to_stop()
        logs.say("finishing the jobs at hand; asked again, they are left to be done again")
        workers.stop(lambda: asked.again)


@click.group()
def jobs() -> None:
    """Jobs: what is to be extracted, resolved or consolidated, and what became of it.

    \b
    mnemolog jobs list
    """


@jobs.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Jobs that are done or void too.")
@click.option("--queue", "kind", type=click.Choice(QUEUES), help="Jobs of one kind only.")
@json_option
@pass_context
def list_(context: Context, everything: bool, kind: str | None, as_json: bool) -> None:  # noqa: FBT001
    """List the jobs that are due or have failed, oldest first.

    \b
    mnemolog jobs list
    mnemolog jobs list --all --queue extract --json
    """
    with context.reader() as connection:
        found = work.listed(connection, ALL if everything else OPEN, kind)
    told = _troubles(context) if found else {}
    if as_json:
        print_json([_summary(job, told) for job in found])
        return
    say_if_none(found, "there are no such jobs" if everything else "no job is due or has failed")
    for job in found:
        error = _summary(job, told)["last_error"] or ""
        click.echo(
            f"{job.job_key[:SHOWN_KEY]}  {job.kind:11} {job.state:6} generation {job.generation}, "
            f"{job.attempts} attempts, {show_time(job.made_at.ms)}  {error[:100]}"
        )


def _troubles(context: Context) -> dict[str, Trouble]:
    """What the last attempts failed with, as far as Redis runs and says so."""
    url = context.running_redis()
    if url is None:
        return {}
    with suppress(redis.RedisError), log_client(url) as client:
        return troubles.told(client, context.settings.space)
    return {}


def _summary(job: Job, told: dict[str, Trouble]) -> dict[str, Any]:
    trouble = told.get(job_name(job.job_key, job.generation)) if job.state == "due" else None
    return {
        "job_key": job.job_key,
        "generation": job.generation,
        "kind": job.kind,
        "state": job.state,
        "made_at": show_time(job.made_at.ms),
        "attempts": job.attempts,
        "last_error": trouble.error if trouble else job.reason or None,
        "not_before": show_time(trouble.not_before) if trouble and trouble.not_before else None,
    }


@jobs.command()
@_job
@json_option
@pass_context
def show(context: Context, job: str, as_json: bool) -> None:  # noqa: FBT001
    """Show a job with its inputs, its outcomes, what they cost, and what the memory refused of them.

    JOB is a job's key or a beginning of it that no other has.

    \b
    mnemolog jobs show 3f2a
    """
    with context.reader() as connection:
        found = work.generations(connection, job)
        outcomes = work.outcomes(connection, found[-1].job_key)
    told = _troubles(context)
    if as_json:
        rows = [{**_summary(row, told), "inputs": row.inputs} for row in found]
        print_json({"job_key": found[-1].job_key, "generations": rows, "outcomes": outcomes})
        return
    for row in found:
        for name, value in {**_summary(row, told), "inputs": " ".join(row.inputs)}.items():
            click.echo(f"{name:12} {'-' if value is None else shown(str(value))}")
    for outcome in outcomes:
        counts = "counts" if outcome.accepted else "does not count"
        click.echo(
            f"outcome      {outcome.event_id} at {outcome.position}, generation {outcome.generation}: {counts}; "
            f"{outcome.engine} {outcome.model} {outcome.calls} calls, {outcome.tokens_in}+{outcome.tokens_out} tokens"
        )
        for refusal in outcome.refused:
            click.echo(f"  refused    {refusal.reason}: {shown(refusal.detail)}")


@jobs.command()
@click.argument("job", metavar="[JOB]", required=False)
@click.option("--failed", is_flag=True, help="Every job that has failed.")
@pass_context
def requeue(context: Context, job: str | None, failed: bool) -> None:  # noqa: FBT001
    """Have a job done again: a failed one, or one whose outcome is not believed. What was concluded before stays.

    \b
    mnemolog jobs requeue 3f2a
    mnemolog jobs requeue --failed
    """
    if (job is None) == (not failed):
        raise InvalidInput("name a job, or give --failed for all that have failed")
    with context.reader() as connection:
        found = work.listed(connection, ("failed",)) if job is None else work.generations(connection, job)[-1:]
    if not found:
        click.echo("no job has failed")
        return
    _send(context, [row.job_key for row in found])


def _send(context: Context, job_keys: list[str]) -> None:
    with context.redis() as url, Producer(context.settings.space, redis_url=url) as producer:
        for job_key in job_keys:
            published = producer.send(producer.event(JobRequeued(job_key=job_key)))
            click.echo(f"{job_key[:SHOWN_KEY]} is requeued at {published.position}; the writer acts on it when it runs")


COMMANDS = (worker, jobs)
