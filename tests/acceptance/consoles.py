"""Console blocks of documentation: their commands with what they are said to print, and shells that run them."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: Stands for anything: inside a line, or alone for any number of lines.
ANYTHING = "…"
_BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """The kinds and texts of a page's console and Python blocks, in order."""
    yield from _BLOCK.findall(text)


def commands(block: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a console block (`$ ` begins one, `> ` continues it), and the lines that each prints."""
    command, printed = "", []
    for line in block.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, printed
            command, printed = line[2:], []
        elif line.startswith("> ") and not printed:
            command += "\n" + line[2:]
        else:
            printed.append(line)
    if command:
        yield command, printed


def fits(expected: list[str], printed: str) -> bool:
    """Whether lines are what was printed, where a lonely … is any number of lines, and else any part of one."""
    pattern = "".join(
        "(?:.*\n)*?" if line == ANYTHING else ".*".join(map(re.escape, line.split(ANYTHING))) + "\n"
        for line in expected
    )
    return re.fullmatch(pattern, printed) is not None
