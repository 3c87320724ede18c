"""Tokens: shown once, kept as hashes for their owner alone, taken away at once, bound to whom they speak for."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from mnemolog.gateway.http.problems import Refused
from mnemolog.gateway.http.speaking import check_session, check_unbound, spoken
from mnemolog.gateway.http.tokens import ANYBODY, SCOPES, Token, TokenFile
from mnemolog.gateway.memory.publishing import Interaction
from mnemolog.schema.errors import InvalidInput

NOTE = Token(name="notebook", scope="write", spaces=("ada",), created_at=1)
SAID = Interaction(role="user", content="Hello.", session="web-1")


def test_a_secret_finds_its_token_and_stands_nowhere_in_the_file(tmp_path: Path) -> None:
    secret = TokenFile(tmp_path).add(NOTE)
    found = TokenFile(tmp_path).of_secret(secret, now=2)
    assert found is not None
    assert (found.name, found.scope, found.spaces) == ("notebook", "write", ("ada",))
    assert secret.startswith("mn_")
    assert len(secret) >= 3 + 43
    assert secret.encode() not in (tmp_path / "tokens.json").read_bytes()


def test_another_secret_finds_nothing(tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path)
    secret = tokens.add(NOTE)
    for wrong in (secret[:-1], secret + "x", "mn_", "", found_hash(tokens)):
        assert tokens.of_secret(wrong, now=2) is None


def found_hash(tokens: TokenFile) -> str:
    return tokens.all()[0].sha256


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path)
    tokens.add(NOTE)
    assert tokens.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o602])
def test_a_file_that_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    TokenFile(tmp_path).add(NOTE)
    (tmp_path / "tokens.json").chmod(mode)
    with pytest.raises(InvalidInput, match="chmod 600"):
        TokenFile(tmp_path).all()


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    TokenFile(tmp_path).add(NOTE)
    (tmp_path / "tokens.json").write_bytes(b'{"version": 2, "tokens": []}')
    with pytest.raises(InvalidInput, match="no file of tokens"):
        TokenFile(tmp_path).all()


def test_a_token_that_is_revoked_or_added_elsewhere_counts_at_once(tmp_path: Path) -> None:
    ours, theirs = TokenFile(tmp_path), TokenFile(tmp_path)
    secret = theirs.add(NOTE)
    token = ours.of_secret(secret, now=2)
    assert token is not None
    assert ours.holds(token, now=2)
    theirs.revoke("notebook")
    assert ours.of_secret(secret, now=2) is None
    assert not ours.holds(token, now=2)


def test_a_name_is_given_once(tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path)
    tokens.add(NOTE)
    with pytest.raises(InvalidInput, match="already"):
        tokens.add(NOTE)
    tokens.revoke("notebook")
    with pytest.raises(InvalidInput, match="no token"):
        tokens.revoke("notebook")
    tokens.add(NOTE)


def test_a_token_expires(tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path)
    secret = tokens.add(msgspec.structs.replace(NOTE, expires_at=1_000))
    assert tokens.of_secret(secret, now=999) is not None
    assert tokens.of_secret(secret, now=1_000) is None


@pytest.mark.parametrize("name", ["", "a b", "../x", "-", "a" * 65, "é"])
def test_a_name_that_cannot_stand_in_a_log_line_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        TokenFile(tmp_path).add(msgspec.structs.replace(NOTE, name=name))
    assert not (tmp_path / "tokens.json").exists()


def test_a_write_that_fails_leaves_the_tokens_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = TokenFile(tmp_path)
    secret = tokens.add(NOTE)

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        tokens.add(msgspec.structs.replace(NOTE, name="other"))
    assert TokenFile(tmp_path).of_secret(secret, now=2) is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tokens.json", "tokens.lock"]


def test_each_scope_covers_those_before_it() -> None:
    for number, scope in enumerate(SCOPES):
        token = msgspec.structs.replace(NOTE, scope=scope)
        assert [token.may(other) for other in SCOPES] == [other <= number for other in range(len(SCOPES))]
    assert NOTE.sees("ada")
    assert not NOTE.sees("ben")
    assert ANYBODY.sees("ben")


# ---- who speaks ------------------------------------------------------------------------------------------------

GUEST = msgspec.structs.replace(NOTE, speaker="guest", session_prefix="web-", role="user")


def test_a_bound_token_speaks_as_its_speaker() -> None:
    assert spoken(GUEST, SAID).speaker == "guest"
    assert spoken(GUEST, msgspec.structs.replace(SAID, speaker="guest")).speaker == "guest"
    assert spoken(NOTE, msgspec.structs.replace(SAID, speaker="Ada")).speaker == "Ada"


@pytest.mark.parametrize(
    "changed", [{"speaker": "Ada"}, {"role": "assistant"}, {"session": "monday"}, {"source_type": "import"}]
)
def test_a_bound_token_cannot_speak_for_others(changed: dict[str, str]) -> None:
    with pytest.raises(Refused, match="not-allowed"):
        spoken(GUEST, msgspec.structs.replace(SAID, **changed))


def test_a_bound_token_changes_no_facts_and_closes_only_its_sessions() -> None:
    check_session(GUEST, "web-2")
    check_unbound(NOTE)
    with pytest.raises(Refused):
        check_session(GUEST, "monday")
    with pytest.raises(Refused):
        check_unbound(GUEST)
