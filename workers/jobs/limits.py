"""The limits of jobs: how long one may take, how often it is tried, how many are handed out at a time."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.model_settings import RULES

RULES_DEADLINE_S = 30.0
MODEL_DEADLINE_S = 300.0
#: RQ counts the time of a job in whole seconds, and a job must end before its deadline.
LEAST_DEADLINE_S = 2.0
MOST = 1_000_000


class JobLimits(msgspec.Struct, frozen=True, kw_only=True):
    """`engine` is `rules` or the model's name; `outstanding` counts for each queue and space."""

    engine: str = RULES
    deadline_s: float = RULES_DEADLINE_S
    attempts: int = 3
    outstanding: int = 64

    @property
    def deadline_ms(self) -> int:
        """After how long without an outcome a job is handed out again."""
        return int(self.deadline_s * 1000)

    @property
    def timeout_s(self) -> int:
        """How long a worker may be at a job: less than the deadline, whole seconds."""
        return max(1, int(self.deadline_s * 0.9))

    def pause_ms(self, attempt: int) -> int:
        """How long to wait after an attempt that failed, where nobody asked for another time: longer each time."""
        return attempt * self.deadline_ms // 10


def limits_from(environ: Mapping[str, str]) -> JobLimits:
    """Limits from MNEMOLOG_MODEL, MNEMOLOG_JOB_DEADLINE_S (seconds, default 300 for a model, 30 for rules) and
    MNEMOLOG_JOB_ATTEMPTS (default 3). Raises InvalidInput for a value that cannot be used.
    """  # noqa: D205
    engine = environ.get("MNEMOLOG_MODEL", "").strip() or RULES
    usual = RULES_DEADLINE_S if engine == RULES else MODEL_DEADLINE_S
    deadline_s = _number(environ, "MNEMOLOG_JOB_DEADLINE_S", usual, LEAST_DEADLINE_S)
    attempts = _number(environ, "MNEMOLOG_JOB_ATTEMPTS", 3, 1)
    return JobLimits(engine=engine, deadline_s=deadline_s, attempts=int(attempts))


def _number(environ: Mapping[str, str], name: str, default: float, least: float) -> float:
    text = environ.get(name)
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1.0
    if not least <= value <= MOST:
        raise InvalidInput(f"{name} is a number of at least {least:g}, not {text!r}")
    return value
