"""Weights of ranking's arms chosen anew, to see whether they hold for conversations that they were not chosen on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from mnemolog.projections.recall import Result

#: What an arm's weight is tried with, beside what it has.
FACTORS = (0.5, 0.75, 1.25, 1.5)
_MEASURES = ("coverage", "similarity")
#: A weight is changed where that gains so much.
_LEAST_GAIN = 0.0005


class Weighed(msgspec.Struct, frozen=True):
    """What a question found: what each arm (a column) adds to each result (a row), their messages, and the evidence."""

    arms: tuple[str, ...]
    parts: NDArray[np.float32]
    event_ids: list[tuple[str, ...]]
    evidence: set[str]

    @classmethod
    def of(cls, results: Sequence[Result], evidence: set[str]) -> Weighed:
        """The results of a question."""
        arms = tuple(name for name in results[0].scores if name not in _MEASURES) if results else ()
        parts = np.array([[result.scores[arm] for arm in arms] for result in results], np.float32)
        return cls(arms, parts.reshape(len(results), len(arms)), [result.event_ids for result in results], evidence)

    def shares(self, factors: Mapping[str, float], ks: Sequence[int]) -> list[float]:
        """Shares of the evidence among the first k messages, with other weights."""
        scores = self.parts @ np.array([factors.get(arm, 1.0) for arm in self.arms], np.float32)
        found: dict[str, None] = {}
        for row in np.argsort(-scores, kind="stable"):
            found.update(dict.fromkeys(self.event_ids[row]))
            if len(found) >= ks[-1]:
                break
        first = list(found)
        return [len(self.evidence & set(first[:k])) / len(self.evidence) for k in ks]


def left_out(conversations: Mapping[str, list[Weighed]], ks: Sequence[int]) -> dict[str, dict[str, float]]:
    """For each conversation what is found with weights chosen on all others, and that of all together."""
    measured: list[NDArray[np.float64]] = []
    told: dict[str, dict[str, float]] = {}
    for name, own in conversations.items():
        factors = _chosen([one for other, some in conversations.items() if other != name for one in some], ks)
        measured.append(_measured(own, factors, ks))
        told[name] = _named(measured[-1], ks)
    told["all"] = _named(np.concatenate(measured), ks)
    return told


def _named(shares: NDArray[np.float64], ks: Sequence[int]) -> dict[str, float]:
    return {f"R@{k}": round(float(share), 4) for k, share in zip(ks, shares.mean(axis=0), strict=True)}


def _measured(asked: Iterable[Weighed], factors: Mapping[str, float], ks: Sequence[int]) -> NDArray[np.float64]:
    return np.array([one.shares(factors, ks) for one in asked])


def _chosen(asked: Sequence[Weighed], ks: Sequence[int]) -> dict[str, float]:
    """One arm after the other with the factor that finds most, at all k alike."""
    factors: dict[str, float] = {}
    best = _measured(asked, factors, ks).mean()
    for arm in next(one.arms for one in asked if one.arms):
        for factor in FACTORS:
            found = _measured(asked, {**factors, arm: factor}, ks).mean()
            if found > best + _LEAST_GAIN:
                best, factors = found, {**factors, arm: factor}
    return factors
