"""The pages of docs: the quick start is run word for word, and every other command is one that there is."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from acceptance.command_lines import parse
from acceptance.consoles import blocks, commands, fits
from acceptance.memory import Memory

from mnemolog.projections.exports import SaidMessage

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / name for name in ("quickstart.md", "concepts.md", "importing.md", "operations.md", "peers.md")]
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(mnemolog [^`…]+)`")
TESTS = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def run(command: str, folder: Path, memory: Memory, variables: Path) -> str:
    """Runs a command line in the shell's folder; variables that it sets are there for the next."""
    program = Path(sys.executable).parent
    done = subprocess.run(
        [
            "bash",
            "-c",
            f"set -a; [ -f {variables} ] && . {variables}; set -eo pipefail\n{command}\ndeclare -p FACT > {variables} 2> /dev/null || true",
        ],
        cwd=folder,
        env={**os.environ, "PATH": f"{program}:{os.environ['PATH']}", "MNEMOLOG_DATA": str(memory.data)},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_quick_start_runs_word_for_word(memory: Memory, tmp_path: Path) -> None:
    (folder := tmp_path / "folder").mkdir()
    with memory.up() as up:
        ran = 0
        for kind, text in blocks((ROOT / "docs/quickstart.md").read_text(encoding="utf-8")):
            if kind == "python":
                (folder / "example.py").write_text(text, encoding="utf-8")
                run("python example.py", folder, memory, tmp_path / "variables")
                continue
            for command, printed in commands(text):
                ran += 1
                if command == "mnemolog up":
                    assert up.is_running
                    continue
                said = run(command, folder, memory, tmp_path / "variables")
                assert fits(printed, said), f"{command}\n--- it says\n{said}\n--- the page says\n" + "\n".join(printed)
    assert ran >= 12


def test_what_differs_stands_for_anything_and_nothing_else_does() -> None:
    assert fits(["a … c", "…", "d"], "a b c\nx\ny\nd\n")
    assert fits(["…"], "")
    assert not fits(["a"], "b\n")
    assert not fits(["a"], "a\nb\n")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_is_accepted(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = page.read_text(encoding="utf-8")
    lines = [line for block in SHELL.findall(text) for line in block.splitlines() if line.startswith("mnemolog ")]
    lines += INLINE.findall(text)
    monkeypatch.chdir(tmp_path)
    for written in lines:
        line = written.split(" #")[0].split(" | ")[0].split(" > ")[0].rstrip(" &")
        for word in shlex.split(line):
            if re.fullmatch(r"[\w. -]+\.(?:jsonl|json|zip|txt|md|tar)", word) and " export " not in line:
                (tmp_path / word).touch()
        assert parse(line), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_and_test_of_a_page_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []
    for path, name in TESTS.findall(text):
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), name


def test_every_metric_that_is_to_be_watched_is_there() -> None:
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`mnemolog_(\w+)", text))
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "gateway/metrics").glob("*.py"))
    assert named
    assert {name for name in named if f'"{name}"' not in source and f'"mnemolog_{name}"' not in source} == set()


def test_every_field_of_an_export_is_told() -> None:
    text = (ROOT / "docs/importing.md").read_text(encoding="utf-8")
    assert all(f"`{field}`" in text for field in SaidMessage.__struct_fields__)
