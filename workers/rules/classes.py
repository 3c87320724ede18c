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
_PASTIMES = frozenset({"sport", "hobby", "instrument"})
#: What is not used, and of which nobody prefers one at a time.
_NO_TOOL = frozenset({"place", "job", "condition", "allergen", "animal", "color"})


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
    return re.sub(r"\W+", "_", group)


def slot(template: str, shown: str, clause: Clause, name: str | None) -> str | None:
    """The slot of a frame, with what stands in ⟨⟩ decided by the object's class; None if it fits none."""
    if not template.startswith("⟨"):
        return template
    group = of(shown)
    if template == "⟨ingest⟩":
        return "drinks" if group == "drink" else "eats"
    if name:
        return f"preferred_{called(name, shown)}"
    if group is None or group == "food":
        return "prefers" if template == "⟨favourite⟩" else None
    if template in {"⟨preferred⟩", "⟨used⟩"}:
        if group == "diet" or group in _PASTIMES:
            return "diet" if group == "diet" else "hobby"
        if group in _NO_TOOL:
            return None
    if template == "⟨usual⟩" and (clause.cues.addition or clause.cues.weak):
        return "uses"
    return f"{'chosen' if clause.who.plural and group in frames.TOOLS else 'preferred'}_{group}"
