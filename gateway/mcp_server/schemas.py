"""JSON schemas of the arguments and answers of the tools, as clients want them: one object with its definitions."""

from __future__ import annotations

from typing import Any

import msgspec

_REF = "#/$defs/{name}"


def schema_of(kind: type[Any]) -> dict[str, Any]:
    """The schema of a struct: an object at the root, and what it refers to under `$defs`."""
    _, found = msgspec.json.schema_components([kind], ref_template=_REF)
    root: dict[str, Any] = found.pop(kind.__name__)
    return {**root, "$defs": found} if found else root
