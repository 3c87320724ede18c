"""The policy of a space: every number the fold uses. It stands on the log in full; defaults are never read later."""

from __future__ import annotations

from typing import Annotated

import msgspec

from mnemolog.schema.times import DAY, MAX_MS, MINUTE

Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Span = Annotated[int, msgspec.Meta(ge=0, le=MAX_MS)]
Number = Annotated[float, msgspec.Meta(ge=0.0, le=1e6)]


class WindowPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a window of messages closes and becomes one extraction job."""

    messages: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 8
    idle_ms: Span = 10 * MINUTE
    other_session_gap_ms: Span = 30 * MINUTE


class DecayPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rates per day by cell_type (what has none never fades), and the constants of the forgetting curve."""

    rates: dict[str, Number] = msgspec.field(
        default_factory=lambda: {
            "task": 0.1,
            "plan": 0.1,
            "opinion": 0.05,
            "decision": 0.03,
            "risk": 0.03,
            "fact": 0.02,
            "preference": 0.02,
            "procedure": 0.02,
        }
    )
    salience_damping: Number = 0.9
    exponent: Annotated[float, msgspec.Meta(gt=0.0, le=10.0)] = 0.8
    floor: Number = 0.05
    retired_confidence: Number = 0.3
    retired_rate: Number = 0.5


class TrustPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The confidence of a cell by where it comes from."""

    requested: Number = 1.0
    first_person: Number = 0.9
    others: Number = 0.6
    inferred: Number = 0.4


class CapPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds on what one job may change and on how far a producer's clock is believed."""

    retire_count: Count = 3
    retire_share: Number = 0.2
    future_ms: Span = DAY


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything configurable that the fold may read. Recorded whole by `space_created` and `policy_set`."""

    window: WindowPolicy = msgspec.field(default_factory=WindowPolicy)
    decay: DecayPolicy = msgspec.field(default_factory=DecayPolicy)
    trust: TrustPolicy = msgspec.field(default_factory=TrustPolicy)
    caps: CapPolicy = msgspec.field(default_factory=CapPolicy)
    supersedes_confidence: Number = 0.95
    time_zone: str = "UTC"
