"""What a user has: a data folder, and the installed command at work in it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support import Process, run_cli, start_cli

from mnemolog.schema.endpoint import RedisFolder, ServerRecord, find_embedded

#: Three conversations of three people with their assistants.
STORY = Path(__file__).with_name("story.jsonl")


class Memory:
    """A data folder, named to `mnemolog` in the environment."""

    #: Runs a command to its end.
    run_command = staticmethod(run_cli)

    def __init__(self, data: Path, **env: str) -> None:
        self.data = data
        self.env = {**env, "MNEMOLOG_DATA": str(data)}

    @property
    def file(self) -> Path:
        """The SQLite file of the space."""
        return self.data / "spaces" / self.env.get("MNEMOLOG_SPACE", "default") / "space.db"

    def of_space(self, space: str) -> Memory:
        """The same data folder with another space."""
        return Memory(self.data, **{**self.env, "MNEMOLOG_SPACE": space})

    def run(self, *args: str | Path, status: int = 0, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end, which must be with this status and never with a traceback."""
        done = self.run_command(*args, env=self.env, text=text)
        assert done.returncode == status, f"{args} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def json(self, *args: str | Path, status: int = 0) -> Any:
        """What a command prints with --json, which must be one document and nothing else."""
        return json.loads(self.run(*args, "--json", status=status).stdout)

    def ask(self, query: str, *options: str) -> list[dict[str, Any]]:
        """The results of a recall."""
        found: dict[str, Any] = json.loads(self.run("recall", "--json", *options, "--", query).stdout)
        results: list[dict[str, Any]] = found["results"]
        return results

    def start(self, *args: str | Path) -> Process:
        """Starts a command."""
        return start_cli(*args, env=self.env)

    @contextmanager
    def up(self, *args: str) -> Iterator[Process]:
        """`mnemolog up`, stopped by Ctrl-C at the end of the block unless it has ended already."""
        with self.start("up", *args) as process:
            process.wait_for("mnemolog is up")
            yield process
            if process.is_running:
                process.interrupt()
                process.wait()

    def server(self) -> ServerRecord | None:
        """The embedded Redis that runs, if one does."""
        return RedisFolder(self.data).record() if find_embedded(self.data) else None

    def delete_file(self) -> None:
        """Deletes the SQLite file with what SQLite keeps beside it."""
        for path in self.file.parent.glob("space.db*"):
            path.unlink()
