"""The policy of a space: every number the fold uses. It stands on the log in full; defaults are never read later."""

from __future__ import annotations

import msgspec

from mnemolog.schema.times import DAY, MINUTE


class WindowPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a window of messages closes and becomes one extraction job."""

    messages: int = 8
    idle_ms: int = 10 * MINUTE
    other_session_gap_ms: int = 30 * MINUTE


class DecayPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rates per day by cell_type, and the constants of the forgetting curve."""

    rates: dict[str, float] = msgspec.field(
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
    salience_damping: float = 0.9
    exponent: float = 0.8
    floor: float = 0.05
    retired_confidence: float = 0.3
    retired_rate: float = 0.5


class TrustPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The confidence of a cell by where it comes from."""

    requested: float = 1.0
    first_person: float = 0.9
    others: float = 0.6
    inferred: float = 0.4


class CapPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds on what one job may change and on how far a producer's clock is believed."""

    retire_count: int = 3
    retire_share: float = 0.2
    future_ms: int = DAY


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything configurable that the fold may read. Recorded whole by `space_created` and `policy_set`."""

    window: WindowPolicy = msgspec.field(default_factory=WindowPolicy)
    decay: DecayPolicy = msgspec.field(default_factory=DecayPolicy)
    trust: TrustPolicy = msgspec.field(default_factory=TrustPolicy)
    caps: CapPolicy = msgspec.field(default_factory=CapPolicy)
    supersedes_confidence: float = 0.95
    time_zone: str = "UTC"
