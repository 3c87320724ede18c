"""The machine that is measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import apsw
import msgspec
import psutil
import redis


class Machine(msgspec.Struct, frozen=True):
    """What the figures depend on. `load_1_min` is the load average before anything was measured."""

    cores: int
    cpu: str
    ram_gib: float
    system: str
    python: str
    sqlite: str
    redis: str
    load_1_min: float

    def line(self) -> str:
        """All of it in one line."""
        return (
            f"{self.cores} cores ({self.cpu}), {self.ram_gib} GiB, {self.system}, Python {self.python}, "
            f"SQLite {self.sqlite}, Redis {self.redis}, load {self.load_1_min} before the start"
        )


def describe(client: redis.Redis) -> Machine:
    """The machine as it is now, and the Redis server that a client is connected to."""
    server: Any = client.info("server")
    return Machine(
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        cpu=_cpu(),
        ram_gib=round(psutil.virtual_memory().total / 2**30, 1),
        system=platform.platform(terse=True),
        python=platform.python_version(),
        sqlite=apsw.sqlite_lib_version(),
        redis=str(server["redis_version"]),
        load_1_min=round(psutil.getloadavg()[0], 2),
    )


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def peak_rss_mb(pid: int) -> float:
    """The most memory a process has had resident, in MB (10⁶ bytes); where only Linux tells that, what it has now."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return float(psutil.Process(pid).memory_info().rss) / 1e6
