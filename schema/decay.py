"""The forgetting curve: confidence as a pure function of what is stored and of the time asked about.

    confidence(t) = confidence × exp(−rate × days^0.8),  days = max(0, t − last_accessed)

a stretched exponential (Wixted and Ebbesen, "On the form of forgetting", 1991; exponent 0.8). Nothing is written back.
"""

from __future__ import annotations

import math

from mnemolog.schema.times import DAY, MAX_MS, SECOND

EXPONENT = 0.8
FLOOR = 0.05


def confidence_at(confidence: float, rate: float, last_accessed: int, at: int, exponent: float = EXPONENT) -> float:
    """Confidence in 0–1 at a time; `rate` is per day to the power of the exponent, times are UTC milliseconds."""
    days = max(0, at - last_accessed) / DAY
    return confidence * math.exp(-rate * days**exponent)


def fades_at(
    confidence: float, rate: float, last_accessed: int, floor: float = FLOOR, exponent: float = EXPONENT
) -> int | None:
    """The time at which confidence crosses the floor, to the second; None when it never does.

    The closed form: last_accessed + (ln(confidence / floor) / rate)^(1 / exponent) days.
    """
    if rate <= 0 or floor <= 0:
        return None
    if confidence <= floor:
        return last_accessed
    try:
        days = (math.log(confidence / floor) / rate) ** (1 / exponent)
    except OverflowError:
        return None
    # Whole seconds, so that the last bit of a machine's logarithm does not show.
    moment = days * DAY / SECOND
    return last_accessed + round(moment) * SECOND if moment <= (MAX_MS - last_accessed) / SECOND else None
