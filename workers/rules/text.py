"""Text: masks what nobody asserts (code, quotations, pasted text), cuts messages into sentences and clauses."""

from __future__ import annotations

import re
import unicodedata

import msgspec

from mnemolog.schema.cells import MIN_QUOTE_CHARS

#: Stands for a masked character, so that offsets stay as they are.
MASK = "\ufffc"

_MASKED = (
    re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL),
    re.compile(r"`[^`\n]*`"),
    re.compile(r"^[ \t]*(?:>|\||\$ |#!|//|/\*|\+\+\+|---|@@|<\w|\{|\}|\[\d|at [\w.$]+\().*$", re.MULTILINE),
    re.compile(
        r"^(?:Traceback |\s+File \"|import \w|from \w+ import|def \w|class \w+[(:]|#include|SELECT ).*$", re.MULTILINE
    ),
    re.compile(r"^\[?\d{4}-\d\d-\d\d[ T]\d\d:.*$|^\w+=\S*$|^(?:DEBUG|INFO|WARN(?:ING)?|ERROR)\b.*$", re.MULTILINE),
    re.compile(r"^(?:From|To|Subject|Date|Cc|Fwd|Re): .*(?:\n.+)*", re.MULTILINE),
    re.compile(r"^Dear [A-Z].*(?:\n.*)*", re.MULTILINE),
    re.compile(
        r"^(?!TODO|Note|Remember|Risk|Task|Decision|Reminder|PS|Update|FYI|Plan|Edit)[A-Z][\w.-]{1,20}: .*$",
        re.MULTILINE,
    ),
    re.compile(r"“[^”]*(?:”|$)|„[^“”]*[“”]|«[^»]*»|「[^」]*」|『[^』]*』|《[^》]*》"),
    re.compile(r"\"[^\"\n]*(?:\"|$)", re.MULTILINE),
    re.compile(r"(?<!\w)['‘](?=\w)(?![^'’\n]{0,12}['’](?:s|ll|ve|re|d|m|t)\b)[^'’\n]* [^'’\n]*['’](?!\w)"),
    re.compile(r"https?://\S+|\bwww\.\S+"),
)
#: What follows such an announcement until the next paragraph is somebody else's text.
_ANNOUNCED = re.compile(
    r"\b(?:(?:he|she|they|it|\w+ (?:just )?)(?:wrote|writes|posted|sent(?: me)?(?: this)?|replied)"
    r"|(?:e-?mail|message|article|text|letter|post|lyrics|poem|story|quote|excerpt|paragraph|transcript|translate"
    r"|summar(?:ise|ize|y)|proofread|rewrite|paste[d]?|log|output|says|reads)(?: \w+){0,4})\s*:\s(?=\S).*?(?=\n\s*\n|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_SENTENCE = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|St|e\.g|i\.e|vs|approx)\.|\d\.(?=\d)|[^.!?…。！？\n]|[.!?…](?=\S))+[.!?…。！？]*"
)
_DOTS_IN_NUMBERS = re.compile(
    r"(?<=\d)\. (?=(?:Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember))"
)
_PRONOUN = r"(?:I|we|he|she|they|it|my|our|you|this|that)"
_CUT = re.compile(
    rf"\s*[;；]\s*|\s+[-–—]+\s+|,?\s+(?:but|though|although|whereas)\s+|,\s*(?=(?:so|and|then|and then|and now)\s+{_PRONOUN}\b)"
    rf"|\s+and\s+(?=(?:now |then |also |currently )?(?:I|we|he|she|they|my|our)(?:\b|'))"
    r"|,?\s+and\s+(?:then\s+)?(?=(?:now |have |also )?(?:moved|started|joined|switched|quit|left|bought|sold|adopted|became|went|relocated|stopped|began"
    r"|work|live|love|prefer|hate|am|moving|got a|took)\b)"
    rf"|,\s*(?=(?:I|we|my|he|she)(?:\b|'))|，",
    re.IGNORECASE,
)


#: Somebody who does with the speaker what comes next: "Clara and I …".
_PERSON = re.compile(r"(?:[A-Z][a-z]+|[Mm]y \w+) and I\b")
_ASIDE = re.compile(r",?\s+(?:while|which)\b[^,]*")


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
        (r"\b(have|has) got (?=(?:a|an|two|three|no|some|my)\b)", r"\1 "),
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
