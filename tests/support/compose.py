"""compose.yaml as Compose reads it, with a password of the tests' own for each user of Redis."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

USERS = ("ADMIN", "PRODUCER", "SERVE", "WORKER", "WRITER")


def password_of(user: str) -> str:
    """The password that stands for ${MNEMOLOG_USER_PASSWORD}."""
    return f"password-of-{user.lower()}"


def composed(path: Path) -> dict[str, Any]:
    """The file with every ${NAME:-default} replaced by its default, and every password by one of `password_of`."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"\$\{MNEMOLOG_(\w+)_PASSWORD:\?[^}]*\}", lambda found: password_of(found[1]), text)
    read: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))
    return read
