"""Memory text in Markdown: whatever it says, it shows as these words and makes no markup."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from mnemolog.gateway.exporting import escaped

ATTACKS = [
    "# A heading",
    "## Memory",
    "[click](https://evil.example)",
    "![pixel](https://evil.example/p.png)",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<https://evil.example>",
    "`code` and ```",
    "**bold** _it_ ~~no~~",
    "- item",
    "1. item",
    "12) item",
    "> quoted",
    "---",
    "===",
    "+ plus",
    "| a | b |",
    "&lt;b&gt; &amp;",
    "a\\",
    "\\[x](y)",
    "[ref]: https://evil.example",
    "[^1]: note",
    "    indented",
    "$x^2$",
    "line\n# break\n\n<div>",
    "x  \n***",
    "https://evil.example www.evil.example a@b.example",
    "\u202eright to left",
]
_PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def parsed(text: str) -> tuple[set[str], str]:
    """The kinds of tokens that a text in a list item makes beside text, and the words that a reader sees."""
    tokens = _PARSER.parse(f"- {escaped(text)}  \n  *source*\n\nAfter.")
    inline: list[Token] = [child for token in tokens for child in token.children or []]
    kinds = {token.type for token in (*tokens, *inline)}
    words = "".join(child.content for child in inline if child.type in ("text", "text_special"))
    return kinds, words


PLAIN = parsed("plain")[0]


@pytest.mark.parametrize("text", ATTACKS)
def test_nothing_that_is_remembered_makes_markup(text: str) -> None:
    kinds, words = parsed(text)
    assert kinds <= PLAIN | {"text_special"}
    if text.isprintable():
        assert words == " ".join(text.split()) + "sourceAfter."


@given(st.text(alphabet=st.sampled_from("ab1 \n\t#*_-+=.)([]<>!&;`~|\\/:@$^{}\"'"), max_size=40))
def test_any_text_shows_as_its_words(text: str) -> None:
    kinds, words = parsed(text)
    assert kinds <= PLAIN | {"text_special"}
    if text.strip():
        assert words == " ".join(text.split()) + "sourceAfter."


def test_addresses_are_broken_for_readers_that_would_link_them() -> None:
    assert "https://" not in escaped("https://evil.example")
    assert "www." not in escaped("www.evil.example")
    assert "@" not in escaped("a@b.example")


def test_what_steers_a_terminal_is_written_out() -> None:
    assert "\u202e" not in escaped("\u202eright to left")
    assert "\x1b" not in escaped("\x1b[31m")
