"""The benchmarks: what they measure with, how they count, and that every measurement runs and is written."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from conversation import SESSION, messages, questions  # noqa: E402
from machine import peak_rss_mb  # noqa: E402
from results import Figure, Report, percentiles  # noqa: E402
from run import MEASUREMENTS  # noqa: E402


@pytest.fixture(scope="module")
def talk():
    return list(messages(2_000, seed=1))


def test_the_same_seed_says_the_same(talk):
    assert list(messages(2_000, seed=1)) == talk
    assert list(messages(2_000, seed=2)) != talk
    assert questions(50, seed=1) == questions(50, seed=1) != questions(50, seed=2)


def test_messages_are_as_long_as_chat(talk):
    lengths = [len(message.content) for message in talk]
    assert 85 <= sum(lengths) / len(lengths) <= 115


def test_words_are_as_unevenly_used_as_in_talk(talk):
    words = Counter(word for message in talk for word in message.content.lower().rstrip(".").split())
    assert words.most_common(1)[0][1] > 0.03 * words.total()
    assert sum(count == 1 for count in words.values()) > len(words) / 3


def test_sessions_are_of_twenty_turns_and_follow_each_other_in_time(talk):
    assert set(Counter(message.session for message in talk).values()) == {SESSION}
    times = [message.occurred_at for message in talk]
    assert times == sorted(set(times))


def test_a_marked_message_ends_with_a_word_of_its_own():
    assert [message.content.split()[-1] for message in messages(3, seed=1, mark="m")] == ["m0", "m1", "m2"]


@pytest.mark.parametrize(
    ("values", "verdict"), [([1, 2, 3], "met"), ([1, 9, 9], "best run only"), ([6, 7, 8], "MISSED")]
)
def test_a_target_counts_as_met_when_the_median_run_meets_it(values, verdict):
    assert Figure(name="x", unit="ms", values=values, target=5).verdict == verdict
    rates = [100 - value for value in values]
    assert Figure(name="x", unit="1/s", values=rates, target=95, better="more").verdict == verdict


def test_percentiles_are_those_of_each_run():
    middle, high = percentiles("x", [range(101), range(0, 202, 2)], {50: None, 99: 4.0})
    assert (middle.name, middle.values, high.values) == ("x p50", [50.0, 100.0], [99.0, 198.0])
    assert (high.target, high.median, high.best) == (4.0, 148.5, 99.0)
    assert [len(run) for run in middle.samples] == [101, 101]


def test_peak_memory_is_what_a_process_had_and_gave_back():
    code = "x = bytearray(150_000_000); del x; print('had it', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"had it\n"
        peak = peak_rss_mb(process.pid)
        process.communicate(b"\n")
    if sys.platform != "linux":
        pytest.skip("only Linux tells the peak")
    assert 150 < peak < 250


@pytest.mark.usefixtures("redis_url")
def test_every_measurement_runs_and_is_written_with_its_samples(tmp_path):
    out = tmp_path / "deep" / "figures.json"
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--messages", "200", "--seconds", "0.2", "--runs", "1"]
    ended = subprocess.run(
        [*command, "--out", str(out)], capture_output=True, encoding="utf-8", timeout=100, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    report = msgspec.json.decode(out.read_bytes(), type=Report)
    assert not report.failures
    assert all(value > 0 for figure in report.figures for value in figure.values)
    named = {figure.name: figure for figure in report.figures}
    assert len(named) == len(report.figures) > 2 * len(MEASUREMENTS)
    assert len(named["publish, one at a time p50"].samples[0]) == 200
    assert len(named["recallable at 500/s p50"].samples[0]) == 100
    assert named["ingest of 200 messages"].samples[0][-1][1:] == [200, 200]
    assert all(name in ended.stdout for name in named)
    assert report.machine.cores > 0
    assert report.machine.redis
