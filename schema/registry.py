"""All payloads by the name of their event."""

from __future__ import annotations

from mnemolog.schema.controls import CONTROLS
from mnemolog.schema.events import INTERACTIONS_AND_CONTROLS, Payload
from mnemolog.schema.outcomes import OUTCOMES
from mnemolog.schema.requests import REQUESTS

PAYLOADS: dict[str, type[Payload]] = {
    payload.TYPE: payload for payload in (*INTERACTIONS_AND_CONTROLS, *OUTCOMES, *REQUESTS, *CONTROLS)
}
