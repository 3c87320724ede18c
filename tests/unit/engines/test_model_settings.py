from __future__ import annotations

import pytest

from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.model_endpoint import retry_after
from mnemolog.schema.model_settings import OPENAI_URL, ModelSettings, model_settings

NOW_S = 1_773_046_800.0  # Mon, 09 Mar 2026 09:00:00 GMT


def test_without_an_environment_nothing_is_called():
    assert model_settings({}) == ModelSettings()
    assert not ModelSettings().has_endpoint


def test_settings_are_read_from_the_environment():
    found = model_settings(
        {
            "MNEMOLOG_MODEL": " gpt ",
            "OPENAI_BASE_URL": "http://localhost:11434/v1",
            "OPENAI_API_KEY": "sk-1",
            "MNEMOLOG_MODEL_TIMEOUT_S": "30",
            "MNEMOLOG_MODEL_TEMPERATURE": "0.5",
            "MNEMOLOG_MODEL_MAX_TOKENS": "100",
            "MNEMOLOG_MODEL_PRICE_IN": "0.15",
            "MNEMOLOG_MODEL_PRICE_OUT": "0.6",
            "MNEMOLOG_TOKEN_BUDGET": "0",
            "MNEMOLOG_EMBEDDER": "nomic-embed-text",
            "MNEMOLOG_EMBEDDER_DIMENSION": "768",
        }
    )
    assert found == ModelSettings(
        model="gpt",
        base_url="http://localhost:11434/v1",
        api_key="sk-1",
        timeout_s=30.0,
        temperature=0.5,
        max_tokens=100,
        price_in_usd=0.15,
        price_out_usd=0.6,
        token_budget=0,
        embedder="nomic-embed-text",
        embedder_dimension=768,
    )
    assert found.cost_usd(1_000_000, 500_000) == pytest.approx(0.45)


def test_the_temperature_can_be_left_to_the_server():
    assert model_settings({"MNEMOLOG_MODEL_TEMPERATURE": "default"}).temperature is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MNEMOLOG_MODEL_TIMEOUT_S", "0"),
        ("MNEMOLOG_MODEL_TEMPERATURE", "hot"),
        ("MNEMOLOG_MODEL_MAX_TOKENS", "0"),
        ("MNEMOLOG_MODEL_PRICE_IN", "-1"),
        ("MNEMOLOG_TOKEN_BUDGET", "inf"),
        ("MNEMOLOG_EMBEDDER_DIMENSION", "nan"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(name, value):
    with pytest.raises(InvalidInput, match=name):
        model_settings({name: value})


def test_secrets_are_shown_to_nobody():
    settings = ModelSettings(api_key="sk-secret", base_url="https://ada:pass@example.org/v1")
    assert "sk-secret" not in repr(settings)
    assert "pass" not in repr(settings)
    assert settings.without_secrets("wrong key sk-secret at https://ada:pass@example.org") == (
        "wrong key *** at https://ada:***@example.org"
    )
    assert ModelSettings(base_url=OPENAI_URL).without_secrets("all well") == "all well"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "Mon, 09 Mar 2026 09:01:00 GMT"}, 60.0),
        ({"retry-after": "Mon, 09 Mar 2026 08:00:00 GMT"}, 0.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "1e12"}, 86_400.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
    ],
)
def test_how_long_to_wait_is_read_in_every_form(headers, seconds):
    assert retry_after(headers, NOW_S) == seconds
