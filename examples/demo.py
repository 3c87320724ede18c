"""A memory over several weeks: published, recalled, deleted, built again from its log and compared.

Run by `make demo`. Works in a temporary folder with a Redis of its own, and removes both. Ends with status 1 when the
memory that was built again is not the one that was deleted.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnemolog.producers import Message, Producer

CONVERSATION = Path(__file__).with_name("conversation.jsonl")
COMMAND = Path(sysconfig.get_path("scripts")) / "mnemolog"
QUESTIONS = (
    "When did Mara start at the robot company?",
    "Which language does Mara write her tool in?",
    "When does the passport expire?",
    "What does Mara do when the build fails?",
)
STOP_TIMEOUT_S = 30.0


class Failed(Exception):
    """A step went wrong; the message says which."""


def say(text: str = "") -> None:
    """A line of narration, shown at once also where the output is not a terminal."""
    print(text, flush=True)


def prompt(*arguments: str) -> None:
    """The command line that a user would type."""
    say(f"  $ {shlex.join(arguments)}")


def run(*arguments: str) -> str:
    """Shows and runs `mnemolog ARGUMENTS`, and gives what it prints. Raises Failed with what it says when it fails."""
    prompt("mnemolog", *arguments)
    done = subprocess.run([COMMAND, *arguments], capture_output=True, encoding="utf-8", check=False)  # noqa: S603
    if done.returncode:
        raise Failed(f"mnemolog {shlex.join(arguments)} ended with status {done.returncode}:\n{done.stderr}")
    return done.stdout


def show(output: str) -> None:
    """What a command printed, set off from the narration."""
    for line in output.splitlines():
        say(f"    {line}")


@contextmanager
def running() -> Iterator[None]:
    """`mnemolog up` in the background, drained and stopped on leaving. Raises Failed when it does not come up."""
    prompt("mnemolog", "up")
    # In a session of its own, so that Ctrl-C reaches this program alone and the writer is asked to stop just once.
    up = subprocess.Popen(  # noqa: S603
        [COMMAND, "up"], stderr=subprocess.PIPE, encoding="utf-8", start_new_session=True
    )
    try:
        await_start(up)
        yield
    finally:
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=STOP_TIMEOUT_S)


def await_start(up: subprocess.Popen[str]) -> None:
    """Waits until `mnemolog up` says that it is up."""
    said = []
    for line in up.stderr or ():
        said.append(line)
        if line.startswith("mnemolog is up"):
            return
    raise Failed("".join(said))


def messages() -> list[Message]:
    """The conversation, with its own ids and times."""
    lines = [json.loads(line) for line in CONVERSATION.read_text(encoding="utf-8").splitlines()]
    return [
        Message(
            role=line["role"],
            content=line["content"],
            session=line["session"],
            speaker=line["speaker"],
            occurred_at=line["at"],
            event_id=line["id"],
        )
        for line in lines
    ]


def publish(conversation: list[Message]) -> None:
    """Publishes the conversation as a chat frontend would."""
    with Producer() as producer:
        producer.publish_many(conversation)
    first, last = conversation[0], conversation[-1]
    sessions = len({message.session for message in conversation})
    say(f"    {len(conversation)} messages of {sessions} sessions, {first.occurred_at} to {last.occurred_at}")


def recall_all() -> None:
    """Asks the memory."""
    for question in QUESTIONS:
        show(run("recall", question, "--limit", "2"))


def verify() -> dict[str, str]:
    """The hashes and the position of the memory's file."""
    found: dict[str, str] = json.loads(run("verify", "--json"))
    show(f"hash {found['hash']}\nposition {found['position']}")
    return found


def delete_file(folder: Path) -> None:
    """Deletes the database with what SQLite keeps beside it."""
    prompt("rm", *(str(path) for path in sorted(folder.glob("space.db*"))))
    for path in folder.glob("space.db*"):
        path.unlink()


def demonstrate(data: Path) -> bool:
    """Runs all steps, and gives whether the memory built again is the one that was deleted."""
    say("1. Start Redis and the writer.")
    with running():
        say("2. Publish a conversation over several weeks, from Python.")
        publish(messages())
        say("3. Wait until the writer has folded and indexed it.")
        show(run("wait"))
        say("4. Recall.")
        recall_all()
        say("5. Stop the writer and Redis (Ctrl-C).")
    say("6. Check the file, and note its hash.")
    before = verify()
    say("7. Delete the database. The log stays.")
    delete_file(data / "spaces" / "default")
    say("8. Build it again from the log.")
    report = json.loads(run("replay", "--json"))
    show(f"{report['events']} events, {report['events_per_s']} a second, {report['model_calls']} model calls")
    say("9. Check the new file, and ask it once more.")
    after = verify()
    show(run("recall", QUESTIONS[0], "--limit", "1", "--no-record"))
    return before["hash"] == after["hash"] and before["position"] == after["position"]


def use_own_settings(data: Path) -> None:
    """Lets nothing of the user's own settings into the demo, neither a Redis nor a key."""
    for name in [name for name in os.environ if name.startswith(("MNEMOLOG_", "OPENAI_"))]:
        del os.environ[name]
    os.environ["MNEMOLOG_DATA"] = str(data)


def main() -> int:
    """The exit status."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="mnemolog-demo-") as folder:
            use_own_settings(Path(folder))
            prompt("export", f"MNEMOLOG_DATA={folder}")
            equal = demonstrate(Path(folder))
    except Failed as error:
        say(f"FAILED: {error}")
        return 1
    except KeyboardInterrupt:
        say("stopped")
        return 128 + signal.SIGINT
    say(f"{'The hashes are equal' if equal else 'THE HASHES DIFFER'} ({time.monotonic() - started:.1f} s).")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
