"""Classes: which slot an object belongs to by the class of thing that it is."""

from __future__ import annotations

import re

from mnemolog.workers.rules import frames, lexicon, objects
from mnemolog.workers.rules.english import Clause

#: What people call a class, where it is not its own name.
_CALLED = {
    "language": "programming_language",
    "coding language": "programming_language",
    "ide": "editor",
    "code editor": "editor",
    "text editor": "editor",
    "os": "operating_system",
    "web browser": "browser",
    "db": "database",
    "web framework": "framework",
    "note": "note_app",
    "colour": "color",
    "genre": "music",
    "music genre": "music",
    "kind of music": "music",
    "type of music": "music",
    "beverage": "drink",
}
_NO_CLASS = lexicon.words("no_class")
_NO_CLASS_WORD = re.compile(r"\b(?:was|is|were|one|part|when|to|of)\b")
_CLASS_WORDS = 3
#: The slots of what one changes to, or leaves, without preferring one at a time; None where that says nothing.
_OTHERWISE: dict[str, str | None] = {
    "diet": "diet",
    **dict.fromkeys(("sport", "hobby", "instrument"), "hobby"),
    **dict.fromkeys(("place", "job", "condition", "allergen", "animal", "color")),
}


def of(shown: str) -> str | None:
    """The class of an object, or of the first of several."""
    value = lexicon.find((objects.parts(shown) or [shown])[0])
    return value.classes[0] if value else None


def called(name: str, shown: str) -> str | None:
    """The class that people call `name` ("favorite editor"), of which `shown` is one; None for no class at all."""
    plain = lexicon.singular(name.strip().casefold())
    if plain in {"", "language"} and (group := of(shown)):
        return group
    group = _CALLED.get(plain, plain)
    if not group or group in _NO_CLASS or len(group.split()) > _CLASS_WORDS or _NO_CLASS_WORD.search(group):
        return None
    return re.sub(r"[^a-z0-9]+", "_", group).strip("_") or None


def slot(template: str, shown: str, clause: Clause, name: str | None) -> str | None:
    """The slot of a frame, with what stands in ⟨⟩ decided by the object's class; None if it fits none."""
    if not template.startswith("⟨"):
        return template
    group = of(shown)
    if template == "⟨ingest⟩":
        return "drinks" if group == "drink" else "eats"
    if name:
        return f"preferred_{called(name, shown)}"
    return _by_use(template, group, clause)


def _by_use(template: str, group: str | None, clause: Clause) -> str | None:
    """The slot of what is used or preferred: one of its class at a time, unless it is one of several."""
    if group is None or group == "food":
        return "prefers" if template == "⟨favourite⟩" else None
    if template in {"⟨preferred⟩", "⟨used⟩"} and group in _OTHERWISE:
        return _OTHERWISE[group]
    if template == "⟨usual⟩" and (clause.cues.addition or clause.cues.weak):
        return "uses"
    return f"{'chosen' if clause.who.plural and group in frames.TOOLS else 'preferred'}_{group}"
