"""The README's quick start and its Python examples, run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from acceptance.memory import Memory

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def run_python(*command: str | Path, home: Path, text: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *command],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        input=text,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_the_python_examples_publish_and_recall(tmp_path: Path) -> None:
    memory = Memory(tmp_path / ".mnemolog")
    publishing = [example for example in EXAMPLES if "Producer" in example]
    (reading,) = [example for example in EXAMPLES if "recall(" in example]
    with memory.up():
        for example in publishing:
            run_python("-c", example, home=tmp_path)
        memory.run("wait")
        shown = run_python("-c", reading, home=tmp_path)
    assert len(publishing) == 2
    assert memory.json("status")["nodes"] == {"episodic": 3}
    assert "Mara I'm writing in Rust now." in shown


def test_the_chat_frontend_publishes_both_turns(tmp_path: Path) -> None:
    memory = Memory(tmp_path / ".mnemolog")
    with memory.up():
        shown = run_python(ROOT / "examples/chat_frontend.py", home=tmp_path, text="I like tea.\n\nAnd cake.\n")
        memory.run("wait")
    assert "I will remember that you said: And cake." in shown
    assert memory.json("status")["nodes"]["episodic"] == 4
    assert memory.ask("tea", "--limit", "1")[0]["session"] == memory.ask("cake", "--limit", "1")[0]["session"]


def test_the_chat_frontend_says_what_to_do_when_nothing_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "examples/chat_frontend.py"],
        env={"HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "`mnemolog up`" in done.stderr
    assert "Traceback" not in done.stderr
