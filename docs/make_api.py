"""Writes docs/api.md from the docstrings of what is meant to be imported: `python docs/make_api.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import griffe

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "api.md"

#: Chapters: the title, what to import from, and the classes with the files that they and their parts stand in.
CHAPTERS: tuple[tuple[str, str, tuple[tuple[str, tuple[str, ...]], ...]], ...] = (
    (
        "Publishing",
        "mnemolog.producers",
        (
            ("Producer", ("producers/client.py",)),
            ("AsyncProducer", ("producers/aio.py",)),
            ("Message", ("producers/messages.py",)),
            ("Published", ("producers/messages.py",)),
        ),
    ),
    (
        "Asking and telling",
        "mnemolog.gateway.memory",
        (
            ("Memories", ("gateway/memory/memories.py",)),
            ("Memory", ("gateway/memory/memory.py", "gateway/memory/asking.py", "gateway/memory/telling.py")),
        ),
    ),
)
ERRORS = "schema/errors.py"
#: The parts of a class that another file holds.
_PARTS = {"gateway/memory/asking.py": "Asking", "gateway/memory/telling.py": "Telling"}
_HEAD = """# Python API

Generated from the docstrings by `docs/make_api.py`. Times are UTC milliseconds unless a line says else.
"""


def page() -> str:
    """The whole page."""
    return "".join((_HEAD, *(piece for chapter in CHAPTERS for piece in _chapter(*chapter)), *_errors()))


def _chapter(title: str, package: str, classes: tuple[tuple[str, tuple[str, ...]], ...]) -> Iterator[str]:
    yield f"\n## {title}\n\n```python\nfrom {package} import {_imported(package)}\n```\n"
    for name, files in classes:
        parts = [_module(file)[_PARTS.get(file, name)] for file in files]
        yield f"\n### {name}\n\n{_doc(parts[0])}\n"
        made = parts[0].members.get("__init__")
        if isinstance(made, griffe.Function):
            yield f"\n```python\n{_signature(name, made)}\n```\n"
        if any("Struct" in str(base) for base in getattr(parts[0], "bases", [])):
            yield f"\n```python\n{_fields(parts[0])}\n```\n"
        for part in parts:
            yield from _members(part)


def _imported(package: str) -> str:
    exported = {"mnemolog.producers": ("AsyncProducer", "Message", "Producer", "Published")}
    return ", ".join(exported.get(package, ("Memories", "Memory")))


def _fields(struct: griffe.Object | griffe.Alias) -> str:
    """The fields of a struct, one a line."""
    found = [member for member in struct.members.values() if isinstance(member, griffe.Attribute)]
    defaults = ("" if field.value is None else f" = {_quoted(field.value)}" for field in found)
    return "\n".join(f"{field.name}: {field.annotation}{end}" for field, end in zip(found, defaults, strict=True))


def _members(part: griffe.Object | griffe.Alias) -> Iterator[str]:
    for name, member in part.members.items():
        if name.startswith("_") or member.is_alias:
            continue
        if isinstance(member, griffe.Function):
            yield f"\n#### {name}\n\n```python\n{_signature(name, member)}\n```\n\n{_doc(member)}\n"
        elif isinstance(member, griffe.Attribute) and member.docstring:
            yield f"\n#### {name}\n\n{_doc(member)}\n"


def _signature(name: str, function: griffe.Function) -> str:
    """How a function is called: one argument a line where it has many."""
    given = [parameter for parameter in function.parameters if parameter.name != "self"]
    words, named = [], False
    for parameter in given:
        if parameter.kind is griffe.ParameterKind.keyword_only and not named:
            named = True
            words.append("*")
        stars = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}
        star = stars.get(parameter.kind, "") if parameter.kind is not None else ""
        kind = f": {parameter.annotation}" if parameter.annotation is not None else ""
        default = "" if parameter.default is None or star else f" = {_quoted(parameter.default)}"
        words.append(f"{star}{parameter.name}{kind}{default}")
    gives = f" -> {function.returns}" if function.returns is not None and name[:1].islower() else ""
    awaited = "async " if "async" in function.labels else ""
    short = f"{awaited}{name}({', '.join(words)}){gives}"
    if len(short) <= 100:  # noqa: PLR2004
        return short
    lines = "".join(f"    {word},\n" for word in words)
    return f"{awaited}{name}(\n{lines}){gives}"


def _quoted(value: object) -> str:
    """A default with its strings as the formatter writes them."""
    return str(value).replace("'", '"')


def _errors() -> Iterator[str]:
    yield "\n## Errors\n\nAll are of `mnemolog.schema.errors`, and MnemologError is the root of them.\n\n"
    yield "| error | is a | exit status | meaning |\n|---|---|---|---|\n"
    known: dict[str, str] = {}
    for name, member in _module(ERRORS).members.items():
        if not isinstance(member, griffe.Class):
            continue
        base = str(member.bases[0]) if member.bases else ""
        own = member.members.get("exit_status")
        known[name] = str(own.value) if isinstance(own, griffe.Attribute) else known.get(base, "")
        meaning = " ".join(_doc(member).split())
        yield f"| `{name}` | {f'`{base}`' if base in known else ''} | {known[name]} | {meaning} |\n"


def _module(file: str) -> griffe.Module:
    path = ROOT / file
    return griffe.visit(file.removesuffix(".py").replace("/", "."), path, path.read_text(encoding="utf-8"))


def _doc(member: griffe.Object | griffe.Alias) -> str:
    return member.docstring.value if member.docstring else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
