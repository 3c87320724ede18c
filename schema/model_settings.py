"""Which language model and embedder there are, where they are spoken to, and what they may cost."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mnemolog.schema.endpoint import without_password
from mnemolog.schema.errors import InvalidInput

#: The engine that needs no model, and the embedder that needs no server.
RULES = "rules"
WORDLLAMA = "wordllama"

OPENAI_URL = "https://api.openai.com/v1"
#: Below the deadline of a job, and far below the client's own default of 600 s.
DEFAULT_TIMEOUT_S = 60.0
DEFAULT_MAX_TOKENS = 4_096
TOKENS_PRICED = 1_000_000


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How models are called. Prices are US dollars for a million tokens; `token_budget` is for a space and UTC day.

    `temperature` None leaves it to the server. `embedder_dimension` None means that the server's vectors tell it.
    """

    model: str = RULES
    base_url: str = OPENAI_URL
    api_key: str = ""
    timeout_s: float = DEFAULT_TIMEOUT_S
    temperature: float | None = 0.0
    max_tokens: int = DEFAULT_MAX_TOKENS
    price_in_usd: float = 0.0
    price_out_usd: float = 0.0
    token_budget: int | None = None
    embedder: str = WORDLLAMA
    embedder_dimension: int | None = None

    def __repr__(self) -> str:
        return f"ModelSettings(model={self.model!r}, base_url={self.shown_url!r}, embedder={self.embedder!r})"

    @property
    def shown_url(self) -> str:
        """The endpoint for people's eyes."""
        return without_password(self.base_url)

    @property
    def has_endpoint(self) -> bool:
        """Whether there is something to call: a key, or a server that was named and may need none."""
        return bool(self.api_key) or self.base_url != OPENAI_URL

    def without_secrets(self, text: str) -> str:
        """The text with the key replaced by ***, for errors and logs."""
        return without_password(text.replace(self.api_key, "***") if self.api_key else text)

    def cost_usd(self, tokens_in: int, tokens_out: int) -> float:
        """What so many tokens cost."""
        return (tokens_in * self.price_in_usd + tokens_out * self.price_out_usd) / TOKENS_PRICED


def model_settings(environ: Mapping[str, str]) -> ModelSettings:
    """Settings of models from the environment.

    Reads MNEMOLOG_MODEL (`rules`, the default, or a model's name), OPENAI_BASE_URL, OPENAI_API_KEY,
    MNEMOLOG_MODEL_TIMEOUT_S (default 60), MNEMOLOG_MODEL_TEMPERATURE (default 0; `default` leaves it to the server),
    MNEMOLOG_MODEL_MAX_TOKENS (of a reply, default 4096), MNEMOLOG_MODEL_PRICE_IN and MNEMOLOG_MODEL_PRICE_OUT (US
    dollars for a million tokens), MNEMOLOG_TOKEN_BUDGET (for a space and UTC day), MNEMOLOG_EMBEDDER (`wordllama`,
    the default, or a model's name) and MNEMOLOG_EMBEDDER_DIMENSION. Raises InvalidInput for what cannot be used.
    """
    unset = environ.get("MNEMOLOG_MODEL_TEMPERATURE", "").strip().casefold() == "default"
    return ModelSettings(
        model=environ.get("MNEMOLOG_MODEL", "").strip() or RULES,
        base_url=environ.get("OPENAI_BASE_URL", "").strip() or OPENAI_URL,
        api_key=environ.get("OPENAI_API_KEY", "").strip(),
        timeout_s=_number(environ, "MNEMOLOG_MODEL_TIMEOUT_S", DEFAULT_TIMEOUT_S, least=0.001),
        temperature=None if unset else _number(environ, "MNEMOLOG_MODEL_TEMPERATURE", 0.0, least=0),
        max_tokens=int(_number(environ, "MNEMOLOG_MODEL_MAX_TOKENS", DEFAULT_MAX_TOKENS, least=1)),
        price_in_usd=_number(environ, "MNEMOLOG_MODEL_PRICE_IN", 0.0, least=0),
        price_out_usd=_number(environ, "MNEMOLOG_MODEL_PRICE_OUT", 0.0, least=0),
        token_budget=_count(environ, "MNEMOLOG_TOKEN_BUDGET", least=0),
        embedder=environ.get("MNEMOLOG_EMBEDDER", "").strip() or WORDLLAMA,
        embedder_dimension=_count(environ, "MNEMOLOG_EMBEDDER_DIMENSION", least=1),
    )


def _count(environ: Mapping[str, str], name: str, *, least: int) -> int | None:
    return int(_number(environ, name, least, least=least)) if environ.get(name, "").strip() else None


def _number(environ: Mapping[str, str], name: str, default: float, *, least: float) -> float:
    text = environ.get(name, "").strip()
    try:
        value = float(text) if text else default
    except ValueError:
        value = float("nan")
    if not least <= value < float("inf"):
        raise InvalidInput(f"{name} is a number of at least {least:g}, not {text!r}")
    return value
