"""What was measured: figures of several runs, their samples, and whether a target is met."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from machine import Machine
from rich.table import Table

Better = Literal["less", "more"]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured quantity: a value for each run, and in `samples` what each run's value was computed from.

    Samples are milliseconds, or (seconds, nodes, vectors) for what grows. Figures made from the same samples do not
    repeat them.
    """

    name: str
    unit: str
    values: list[float]
    better: Better = "less"
    target: float | None = None
    samples: list[Sequence[Any]] = []

    @property
    def best(self) -> float:
        """The value of the run that was disturbed least."""
        return min(self.values) if self.better == "less" else max(self.values)

    @property
    def median(self) -> float:
        """The median of the runs."""
        return statistics.median(self.values)

    @property
    def verdict(self) -> str:
        """Whether the target is met: by the median run, by the best run only, or not."""
        if self.target is None:
            return ""
        if self._meets(self.median):
            return "met"
        return "best run only" if self._meets(self.best) else "MISSED"

    def _meets(self, value: float) -> bool:
        assert self.target is not None
        return value <= self.target if self.better == "less" else value >= self.target


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one call measured; `failures` says why what is missing could not be measured."""

    started_at: str
    seconds: float
    arguments: list[str]
    machine: Machine
    figures: list[Figure]
    failures: dict[str, str] = {}


def percentiles(name: str, runs: Sequence[Sequence[float]], targets: dict[int, float | None]) -> list[Figure]:
    """One figure in milliseconds for each wanted percentile ({percentile: target}) of the samples of several runs."""
    samples: list[Sequence[Any]] = [[round(value, 3) for value in run] for run in runs]
    return [
        Figure(
            name=f"{name} p{wanted}",
            unit="ms",
            values=[round(float(np.percentile(run, wanted)), 3) for run in runs],
            target=target,
            samples=samples if index == 0 else [],
        )
        for index, (wanted, target) in enumerate(targets.items())
    ]


def table(figures: Sequence[Figure]) -> Table:
    """The figures to be looked at."""
    shown = Table("measured", "unit", title=None)
    for column in ("target", "median", "best"):
        shown.add_column(column, justify="right")
    shown.add_column("runs", justify="right")
    shown.add_column("")
    for figure in figures:
        sign = "≤" if figure.better == "less" else "≥"
        target = "" if figure.target is None else f"{sign} {_number(figure.target)}"
        style = {"MISSED": "bold red", "best run only": "yellow"}.get(figure.verdict)
        shown.add_row(
            figure.name,
            figure.unit,
            target,
            _number(figure.median),
            _number(figure.best),
            str(len(figure.values)),
            figure.verdict,
            style=style,
        )
    return shown


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
