"""The page's files: read once, each with its type, its tag and the headers that keep it from being anything else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec

PACKAGE = "mnemolog.gateway.page"
FOLDER = "static"

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
#: Nothing from anywhere else, no script or style in the markup, no markup made from text (Trusted Types), no frame.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",
}


class File(msgspec.Struct, frozen=True):
    """A file as it is sent: its bytes, its media type, and a tag of its content."""

    content: bytes
    media_type: str
    tag: str


def read_files() -> dict[str, File]:
    """All files of the page by their paths below its folder, such as `views/fact.js`."""
    return _read(files(PACKAGE) / FOLDER, "")


def _read(folder: Traversable, prefix: str) -> dict[str, File]:
    found: dict[str, File] = {}
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            found |= _read(entry, f"{prefix}{entry.name}/")
        elif (media_type := _TYPES.get(entry.name.rpartition(".")[2])) is not None:
            content = entry.read_bytes()
            found[f"{prefix}{entry.name}"] = File(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:20]}"')
    return found
