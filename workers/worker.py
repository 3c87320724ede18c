"""A worker process: an RQ worker on one queue, which does jobs in its own process until it is told to stop.

    python -m mnemolog.workers.worker extract [--quiet]

Redis and the engine are named by the environment (MNEMOLOG_REDIS_URL, MNEMOLOG_MODEL). The process ends when its
standard input does: whoever started it holds the other end, so that it outlives nobody.
"""

from __future__ import annotations

import logging
import os
import sys
import threading

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from mnemolog.schema.endpoint import log_client, translate
from mnemolog.schema.jobs import QUEUES
from mnemolog.schema.log_lines import formatter, log_format
from mnemolog.schema.outcomes import JobKind
from mnemolog.workers.engines.choice import engine_of
from mnemolog.workers.jobs.job import Performer
from mnemolog.workers.jobs.queue import job_class_of, queue_of

log = logging.getLogger("mnemolog.worker")

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s[%(process)d]: %(message)s"
#: What RQ's time-outs are derived from, in seconds: a worker waits for a job for 15 s less at a time.
WORKER_TTL_S = 45
MAINTENANCE_S = 60
CONNECT_TIMEOUT_S = 5.0


class QueueWorker(SimpleWorker):
    """RQ's worker without a fork for each job, and without commands from Redis."""

    #: While Redis is away it is asked again at least this often, in seconds.
    max_connection_wait_time = 5.0
    log_result_lifespan = False

    def subscribe(self) -> None:
        """Takes no commands: a worker is stopped by signals."""


def rq_client(url: str) -> redis.Redis:
    """A client for an RQ worker, which sets its time-outs itself and needs them longer than a log client's."""
    return redis.Redis.from_url(
        url, protocol=2, retry=Retry(NoBackoff(), 0), socket_connect_timeout=CONNECT_TIMEOUT_S, health_check_interval=30
    )


def worker_of(client: redis.Redis, kind: JobKind, performer: Performer) -> QueueWorker:
    """A worker for one queue; its `work` ends at SIGTERM or SIGINT, after the job that it is at."""
    job_class = job_class_of(performer)
    return QueueWorker(
        [queue_of(client, kind, job_class)],
        connection=client,
        job_class=job_class,
        serializer=JSONSerializer,
        exception_handlers=[performer.explain],
        worker_ttl=WORKER_TTL_S,
        maintenance_interval=MAINTENANCE_S,
        default_result_ttl=0,
        log_job_description=False,
    )


def _shorten(record: logging.LogRecord) -> bool:
    """Leaves out where in RQ a worker was when Redis failed: what failed is named when the process ends."""
    if record.exc_info and isinstance(record.exc_info[1], redis.RedisError):
        record.exc_info = None
    return True


def _end_with_input() -> None:
    """Ends this process when its standard input does, also in the middle of a job."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


def _log(*, quiet: bool) -> None:
    """Log lines go to standard error, in the format that the command asked for which started this process."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(log_format(os.environ), LOG_FORMAT))
    logging.basicConfig(level=logging.WARNING if quiet else logging.INFO, handlers=[handler])
    for name in ("rq.worker", "rq.job", "rq.queue"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("rq.worker").addFilter(_shorten)


def main(kind: str, *options: str) -> None:
    """Runs a worker process on one queue; with `--quiet` it logs what goes wrong only."""
    if kind not in QUEUES:
        sys.exit(f"there is no queue {kind!r}: it is one of {', '.join(QUEUES)}")
    threading.Thread(target=_end_with_input, daemon=True).start()
    _log(quiet="--quiet" in options)
    url = os.environ["MNEMOLOG_REDIS_URL"]
    client = log_client(url)
    performer = Performer(client, engine_of(os.environ, client))
    try:
        worker_of(rq_client(url), kind, performer).work(logging_level=None)
    except redis.RedisError as error:
        log.error("%s worker: %s", kind, translate(error, "take jobs"), extra={"kind": kind})  # noqa: TRY400
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:] or [""])
