"""The limits of jobs, from the environment."""

from __future__ import annotations

import pytest

from mnemolog.schema.errors import InvalidInput
from mnemolog.workers.jobs.limits import JobLimits, limits_from


def test_without_a_model_jobs_have_half_a_minute() -> None:
    assert limits_from({}) == JobLimits(engine="rules", deadline_s=30.0, attempts=3, outstanding=64)


def test_a_model_has_five_minutes() -> None:
    assert limits_from({"MNEMOLOG_MODEL": "gpt-5-mini"}).deadline_s == 300.0


def test_both_limits_can_be_set() -> None:
    limits = limits_from({"MNEMOLOG_JOB_DEADLINE_S": "2.5", "MNEMOLOG_JOB_ATTEMPTS": "7"})
    assert (limits.deadline_ms, limits.attempts) == (2_500, 7)


@pytest.mark.parametrize("deadline_s", [2.0, 3.0, 30.0, 300.0])
def test_a_job_ends_before_its_deadline(deadline_s: float) -> None:
    assert 0 < JobLimits(deadline_s=deadline_s).timeout_s < deadline_s


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MNEMOLOG_JOB_DEADLINE_S", "1"),
        ("MNEMOLOG_JOB_DEADLINE_S", "soon"),
        ("MNEMOLOG_JOB_DEADLINE_S", "nan"),
        ("MNEMOLOG_JOB_DEADLINE_S", "inf"),
        ("MNEMOLOG_JOB_ATTEMPTS", "0"),
    ],
)
def test_what_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=name):
        limits_from({name: value})


def test_pauses_grow_with_the_attempts() -> None:
    limits = JobLimits(deadline_s=10.0)
    assert limits.pause_ms(1) < limits.pause_ms(2) < limits.deadline_ms
