"""Tokens: who may ask what of which spaces, kept as hashes in one file of the data folder.

A secret is 256 random bits, so one round of SHA-256 keeps it: there is nothing to guess that a slow hash would protect,
and one such as scrypt would cost every request tens of milliseconds.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.events import Role
from mnemolog.schema.ids import check_space

Scope = Literal["read", "write", "admin"]
#: Each may do what those before it may.
SCOPES: tuple[Scope, ...] = ("read", "write", "admin")
PREFIX = "mn_"
ALL_SPACES = "*"
FILE_NAME = "tokens.json"
_SECRET_BYTES = 32
_NAME_PATTERN = r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"


class Token(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a secret allows. Times are UTC milliseconds; `sha256` is of the secret, in hexadecimal digits.

    `spaces` of ("*",) are all, those to come too. A token that is bound to a `speaker`, to sessions that begin with
    `session_prefix`, or to a `role` publishes and remembers as these alone, and asks for no other change.
    """

    name: Annotated[str, msgspec.Meta(pattern=_NAME_PATTERN)]
    scope: Scope
    spaces: tuple[str, ...]
    created_at: int
    sha256: str = ""
    expires_at: int | None = None
    speaker: str | None = None
    session_prefix: str | None = None
    role: Role | None = None

    @property
    def is_bound(self) -> bool:
        """Whether it may speak for some alone."""
        return any(bound is not None for bound in (self.speaker, self.session_prefix, self.role))

    def may(self, scope: Scope) -> bool:
        """Whether its scope covers another."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)

    @property
    def sees_all(self) -> bool:
        """Whether it is a token of every space."""
        return ALL_SPACES in self.spaces

    def sees(self, space: str) -> bool:
        """Whether it is a token of a space."""
        return self.sees_all or space in self.spaces

    def has_expired(self, now: int) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and now >= self.expires_at


#: What stands for the caller of a server that asks for no token.
ANYBODY = Token(name="-", scope="admin", spaces=(ALL_SPACES,), created_at=0)


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Literal[1] = 1
    tokens: tuple[Token, ...] = ()


def digest_of(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class TokenFile:
    """The tokens of a data folder, read again when the file has changed.

    Every method raises InvalidInput for a file that others than its owner may read or write, or that is none of tokens.
    """

    def __init__(self, data: Path) -> None:
        self.path = data / FILE_NAME
        self._read: tuple[tuple[int, int, int] | None, dict[str, Token]] = (None, {})

    def add(self, token: Token) -> str:
        """Keeps a token and gives its secret, which nobody can ask for again. Raises InvalidInput for a name in use."""
        secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        checked = msgspec.convert(msgspec.structs.asdict(token) | {"sha256": digest_of(secret)}, Token)
        for space in checked.spaces:
            if space != ALL_SPACES:
                check_space(space)
        with self._alone():
            known = self.all()
            if any(other.name == token.name for other in known):
                raise InvalidInput(f"there is a token {token.name!r} already: revoke it, or take another name")
            self._write((*known, checked))
        return secret

    def revoke(self, name: str) -> Token:
        """Takes a token away: a server refuses it from its next request on. Raises InvalidInput for an unknown name."""
        with self._alone():
            known = self.all()
            found = next((token for token in known if token.name == name), None)
            if found is None:
                raise InvalidInput(f"there is no token {name!r}: `mnemolog token list` shows those there are")
            self._write(tuple(token for token in known if token.name != name))
        return found

    def all(self) -> tuple[Token, ...]:
        """The tokens in the order in which they were made, expired ones too."""
        return tuple(self._known().values())

    def of_secret(self, secret: str, now: int) -> Token | None:
        """The token of a secret; None for one that is not known, or has expired."""
        digest = digest_of(secret)
        # Looked up by its hash, which nobody can steer: how long that takes tells nothing of other secrets.
        found = self._known().get(digest)
        if found is None or not hmac.compare_digest(found.sha256, digest) or found.has_expired(now):
            return None
        return found

    def holds(self, token: Token, now: int) -> bool:
        """Whether a token is still known, as it was, and has not expired."""
        return self._known().get(token.sha256) == token and not token.has_expired(now)

    def _known(self) -> dict[str, Token]:
        try:
            state = self.path.stat()
        except FileNotFoundError:
            return {}
        seen = (state.st_mtime_ns, state.st_ino, state.st_size)
        if self._read[0] != seen:
            if state.st_mode & 0o077 or state.st_uid != os.geteuid():
                raise InvalidInput(f"{self.path} must belong to you alone: chown it, and `chmod 600 {self.path}`")
            self._read = (seen, {token.sha256: token for token in self._decoded().tokens})
        return self._read[1]

    def _decoded(self) -> _File:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=_File)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{self.path} is no file of tokens: {error}") from None

    def _write(self, tokens: tuple[Token, ...]) -> None:
        encoded = msgspec.json.format(msgspec.json.encode(_File(tokens=tokens)))
        descriptor, name = tempfile.mkstemp(prefix=f".{FILE_NAME}.", dir=self.path.parent)
        written = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(encoded + b"\n")
                file.flush()
                os.fsync(file.fileno())
            written.replace(self.path)
        except OSError:
            written.unlink(missing_ok=True)
            raise

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
