"""Scenes: the topic that a cell groups under, its normalised key, and extractive summaries."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from mnemolog.schema.cells import Cell
from mnemolog.schema.slots import slot_of
from mnemolog.workers.rules import language, lexicon
from mnemolog.workers.rules.text import width

MAX_KEY_WORDS = 5
MAX_SUMMARY_WORDS = 99
_STOP = lexicon.words("scene_stop")
_FAMILY = {"preferred_": "", "chosen_": ""}
_WORD = re.compile(r"[\w#+'-]+")


def _load() -> dict[str, str]:
    """The topic of each word in data/topics.txt."""
    rows = (line.split(":") for line in lexicon.lines("topics.txt"))
    return {word: topic.strip() for topic, words in rows for word in words.split()}


_TOPICS = _load()


def scene_key(text: str) -> str:
    """The normalised key of a scene: NFKC, casefolded, singular words, at most five; empty if nothing is left."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    kept = [lexicon.singular(word) for word in words if word not in _STOP]
    return " ".join(kept[:MAX_KEY_WORDS])


def scene_of(slot: str, obj: str, content: str, subject: str, known: Iterable[str]) -> str:
    """The scene of a cell: its slot's topic, else its object's, one that its words name, a known one, or its object."""
    family = next((prefix for prefix in _FAMILY if slot.startswith(prefix)), None)
    topic = "" if family else slot_of(slot).scene
    value = lexicon.find(obj)
    if not topic and value is not None:
        topic = value.scene
    # People are called Ada and Julia, and so are programming languages.
    content = content.replace(subject, " ")
    words = [lexicon.singular(word.casefold()) for word in _WORD.findall(content)]
    if not topic or topic in {"task", "plan", "project"}:
        votes = Counter(_TOPICS[word] for word in words if word in _TOPICS)
        named = [item.scene for item in lexicon.inside(content, kinds=frozenset({"tool"}))]
        votes.update(named)
        topic = votes.most_common(1)[0][0] if votes else topic
    if not topic:
        topic = next((key for key in known if set(key.split()) & set(words)), "")
    return scene_key(topic) or scene_key(obj) or scene_key(subject) or "person"


def summarise(cells: Sequence[Cell]) -> str:
    """A summary under 100 words, made of the most salient cells' own sentences; one cell is its own summary.

    Sentences in another language than most of the cells are left out. Raises ValueError for no cells.
    """
    if not cells:
        raise ValueError("a scene without cells has no summary")
    tongues = Counter(language.detect(cell.content) for cell in cells)
    usual = tongues.most_common(1)[0][0]
    ranked = sorted(cells, key=lambda cell: (-cell.salience, -(cell.holds_from or 0), cell.content))
    chosen: list[str] = []
    left = MAX_SUMMARY_WORDS
    for sentence in dict.fromkeys(cell.content for cell in ranked if language.detect(cell.content) == usual):
        if width(sentence) <= left:
            chosen.append(sentence)
            left -= width(sentence)
    if not chosen:
        return _shortened(ranked[0].content)
    return ("" if usual == "zh" else " ").join(chosen)


def _shortened(sentence: str) -> str:
    words = sentence.split()
    if len(words) > 1:
        return " ".join(words[: MAX_SUMMARY_WORDS - 1]) + " …"
    return sentence[: MAX_SUMMARY_WORDS * 2 - 2] + "…"
