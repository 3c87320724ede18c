"""Text: masks what nobody asserts (code, quotations, pasted text), cuts messages into sentences and clauses."""

from __future__ import annotations

import re
import unicodedata

import msgspec

from mnemolog.schema.cells import MIN_QUOTE_CHARS
from mnemolog.workers.rules import patterns

#: Stands for a masked character, so that offsets stay as they are.
MASK = "\ufffc"

_MASKED = patterns.several("masked")
#: What follows such an announcement until the next paragraph is somebody else's text.
_ANNOUNCED = patterns.one("announced")
_SENTENCE = patterns.one("sentence")
_DOTS_IN_NUMBERS = patterns.one("dots_in_numbers")
_CUT = patterns.one("cut")


#: Somebody who does with the speaker what comes next: "Clara and I …".
_PERSON = patterns.one("person")
_ASIDE = patterns.one("aside")


class Sentence(msgspec.Struct, frozen=True):
    """A sentence: `text` with quotations masked and quotes straightened, `quote` as it stands in the message."""

    text: str
    quote: str

    @property
    def asks(self) -> bool:
        """Whether it ends as a question does."""
        return self.text.rstrip(")\"' ").endswith(("?", "？"))


def sentences(content: str) -> list[Sentence]:
    """The sentences of a message, each with a quote that is evidence: a substring of at least 8 characters."""
    shown = mask(content)
    found = []
    for match in _SENTENCE.finditer(_DOTS_IN_NUMBERS.sub("  ", shown)):
        start, end = match.span()
        while start < end and content[start].isspace():
            start += 1
        while end > start and content[end - 1].isspace():
            end -= 1
        text = shown[start:end]
        if text.strip(MASK + " .!?"):
            quote = content[start:end]
            if len(quote) < MIN_QUOTE_CHARS:
                quote = _widened(content, start, end)
            found.append(Sentence(_straight(text), quote))
    return found


def _widened(content: str, start: int, end: int) -> str:
    """A longer quote around a short sentence, at the borders of words where it can be."""
    while end - start < MIN_QUOTE_CHARS and (start > 0 or end < len(content)):
        start, end = max(0, start - 1), min(len(content), end + 1)
    return content[start:end]


def mask(content: str) -> str:
    """The message, of the same length, with code, quotations, pasted and announced text blotted out."""
    for pattern in (*_MASKED, _ANNOUNCED):
        content = pattern.sub(lambda match: re.sub(r"[^\n]", MASK, match[0]), content)
    return content


def _straight(text: str) -> str:
    return text.translate({0x2019: "'", 0x2018: "'", 0x00A0: " ", 0x2011: "-"})


def clauses(sentence: str) -> list[str]:
    """The clauses of a sentence, in order."""
    if _PERSON.match(sentence):
        return [sentence]
    return [part.strip(" ,;") for part in _CUT.split(_ASIDE.sub("", sentence)) if part and part.strip(" ,;")]


_CONTRACTIONS = tuple(
    (re.compile(pattern, re.IGNORECASE), other)
    for pattern, other in (
        (r"\bcan't\b|\bcannot\b", "can not"),
        (r"\bwon't\b", "will not"),
        (r"\bshan't\b", "shall not"),
        (r"\bain't\b", "am not"),
        (r"n't\b", " not"),
        (r"\b(I)'?m\b", r"\1 am"),
        (r"\b(I|you|we|they)'ve\b", r"\1 have"),
        (r"\b(I|you|he|she|it|we|they|that|there|this)'ll\b", r"\1 will"),
        (r"\b(you|we|they)'re\b", r"\1 are"),
        (
            r"\b(he|she|it|that|there|what|who|here)'s (?=(?:been|got|gone|moved|become|started|left|just \w+ed)\b)",
            r"\1 has ",
        ),
        (r"\b(he|she|it|that|there|what|who|here)'s\b", r"\1 is"),
        (r"\b(let)'s\b", r"\1 us"),
        (r"\bI'd\b", "I would"),
        (r"\b(you|he|she|it|we|they)'d\b", r"\1 would"),
        (r"\b(name)'s (?=[A-Z])", r"\1 is "),
        (r"\bgonna\b", "going to"),
        (r"\bwanna\b", "want to"),
        (r"\bgotta\b", "have to"),
        (r"\b(have|has) got to\b", r"\1 to"),
        (
            r"\b(have|has) got (?!to|married|engaged|divorced|promoted|hired|fired|into|used|rid|back|tired|bored)",
            r"\1 ",
        ),
        (r"\bdont\b", "do not"),
        (r"\bi\b", "I"),
    )
)


def expand(text: str) -> str:
    """English without contractions: "I'm" becomes "I am", "don't" becomes "do not"."""
    if "'" not in text and not re.search(r"\b(?:gonna|wanna|gotta|dont|im|i|cannot)\b", text, re.IGNORECASE):
        return text
    for pattern, other in _CONTRACTIONS:
        text = pattern.sub(other, text)
    return text


def width(text: str) -> int:
    """The number of words of a text; two characters of a script without spaces count as one word."""
    wide = sum(unicodedata.east_asian_width(char) == "W" for char in text)
    return len(re.findall(r"[^\W\u2e80-\U0003ffff]+(?:['’.-]\w+)*", text)) + (wide + 1) // 2
