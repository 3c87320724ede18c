"""The memory as every door sees it: a Memory is one space, Memories hands them out. All is loaded when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnemolog.gateway.memory.memories import Memories
    from mnemolog.gateway.memory.memory import Memory

__all__ = ["Memories", "Memory"]


def __getattr__(name: str) -> Any:
    """Memory and Memories. A command that needs a part of them does not wait for all."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{name.lower()}"), name)
