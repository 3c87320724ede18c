"""A storm over a memory: somebody talks, and processes are killed, at named points and at random, as a seed says."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from mnemolog.producers.client import Producer
from mnemolog.producers.messages import Message
from mnemolog.schema.errors import LogUnavailable
from mnemolog.schema.settings import Settings
from support.chaos_story import sessions_of, tell
from support.processes import Process, start_cli
from support.redis_server import RedisServer
from support.waiting import wait_until

_FAULTS = Path(__file__).with_name("faults")
#: In the order of what happens to a message.
WRITER_POINTS = (
    "writer: lease taken",
    "writer: archived, not folded",
    "writer: folded, not committed",
    "writer: committed",
    "writer: vectors stored",
    "writer: about to tidy",
    "dispatcher: enqueued, not written down",
    "dispatcher: written down",
    "dispatcher: asked after troubles",
)
WORKER_POINTS = (
    "worker: job taken",
    "worker: job claimed",
    "worker: concluded, not appended",
    "worker: appended",
)
#: What comes at a moment that was drawn, and how often in comparison.
_BLOWS = {"worker at random": 6, "Redis": 2}
#: A point that is not reached by then is not on the way of this run.
_MISSED_S = 6.0


class Talker:
    """Publishes a conversation session by session, as far as it is allowed to, whatever becomes of Redis."""

    def __init__(self, url: str, messages: list[Message]) -> None:
        self._producer = Producer("default", redis_url=url)
        self._sessions = list(sessions_of(messages))
        self._allowed = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._talk)
        self._thread.start()
        self.left = len(self._sessions)
        self.repeats = 0
        self._given_up = False

    def allow(self, sessions: int) -> None:
        """Lets it tell so many sessions more."""
        for _ in range(sessions):
            self._allowed.release()

    def _talk(self) -> None:
        for session, said in self._sessions:
            self._allowed.acquire()
            while not self._given_up and not self._told(session, said):
                self.repeats += 1
            self.left -= 1

    def _told(self, session: str, said: list[Message]) -> bool:
        with suppress(LogUnavailable):
            tell(self._producer, session, said)
            return True
        return False

    def close(self) -> None:
        """Tells what is left, or what can be told of it."""
        self.allow(len(self._sessions))
        self._thread.join(60.0)
        self._given_up = True
        self._thread.join()
        self._producer.close()


class Storm:
    """Kills what works on a space, `kills` times; `deaths` counts them by what died and where."""

    def __init__(self, folder: Path, space: Settings, server: RedisServer, talker: Talker, seed: int) -> None:
        self._folder = folder
        self._server = server
        self._talker = talker
        self._chance = random.Random(seed)
        self._points: list[str] = []
        self.deaths: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.env = {
            "MNEMOLOG_DATA": str(space.data),
            "MNEMOLOG_REDIS_URL": server.url,
            "MNEMOLOG_JOB_DEADLINE_S": "2",
            # Whoever is killed was not the job's fault, and none is to be given up for it here.
            "MNEMOLOG_JOB_ATTEMPTS": "1000",
        }

    @property
    def kills(self) -> int:
        """How many processes died so far."""
        return self.deaths.total()

    def rage(self, kills: int) -> None:
        """Kills again and again; nobody is left running."""
        sessions = self._talker.left
        for number in range(1_000_000):
            if self.kills >= kills:
                return
            self._talker.allow(max(1, sessions * 3 // kills))
            self._live_and_die(number)

    def _live_and_die(self, number: int) -> None:
        point, mark = self._next_point(), self._folder / f"died-{number}"
        # A lease is taken once in a life.
        nth = 1 if point == WRITER_POINTS[0] else self._chance.choice((1, 1, 2, 4))
        path = os.pathsep.join(filter(None, (str(_FAULTS), os.environ.get("PYTHONPATH"))))
        fault = {"PYTHONPATH": path, "MNEMOLOG_FAULT": f"{point}:{nth}:{mark}"}
        with start_cli("up", env=self.env | fault) as up:
            wait_until(lambda: "mnemolog is up" in up.output or not up.is_running, 30.0, "up")
            assert up.is_running or mark.exists(), up.output
            for _ in range(self._chance.randrange(2, 5)):
                self._strike(up)
            self._wait_for_death(point, mark)
            if up.is_running:
                up.kill()
                self.deaths["writer and dispatcher at random"] += 1

    def _next_point(self) -> str:
        """Each point comes once in a while, in an order of its own each time."""
        if not self._points:
            self._points = [*WRITER_POINTS, *WORKER_POINTS]
            self._chance.shuffle(self._points)
        return self._points.pop()

    def _wait_for_death(self, point: str, mark: Path) -> None:
        until = time.monotonic() + _MISSED_S
        wait_until(lambda: mark.exists() or time.monotonic() > until, 2 * _MISSED_S)
        (self.deaths if mark.exists() else self.missed)[point] += 1

    def _strike(self, up: Process) -> None:
        """Lets a moment pass, and kills a worker, which is started again, or Redis, which is started again here."""
        moment = time.monotonic() + self._chance.random() * 0.5
        wait_until(lambda: time.monotonic() >= moment)
        if not up.is_running:
            return
        blow = self._chance.choices(list(_BLOWS), weights=list(_BLOWS.values()))[0]
        struck = self._kill_redis if blow == "Redis" else lambda: self._kill_worker(up)
        self.deaths[blow] += struck()

    def _kill_redis(self) -> bool:
        self._server.kill()
        self._server.start()
        return True

    def _kill_worker(self, up: Process) -> bool:
        workers = workers_of(up)
        if not workers:
            return False
        with suppress(psutil.NoSuchProcess):
            self._chance.choice(workers).kill()
            return True
        return False


def workers_of(process: Process) -> list[psutil.Process]:
    """The worker processes that an `up` has running."""
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        children = psutil.Process(process.pid).children(recursive=True)
        return [child for child in children if "mnemolog.workers.worker" in child.cmdline()]
    return []


def timed(state: Callable[[], object], timeout_s: float = 60.0, what: str = "") -> float:
    """The seconds until a state is reached."""
    began = time.monotonic()
    wait_until(state, timeout_s, what)
    return time.monotonic() - began
