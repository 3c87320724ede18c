"""A chat in the terminal that remembers: both turns of every exchange are published. Start `mnemolog up` first.

The reply stands for that of your model. What was said is found with `mnemolog recall "..."`.
"""

from __future__ import annotations

import sys
from datetime import datetime

from mnemolog.producers import Producer
from mnemolog.schema.errors import MnemologError


def reply_to(text: str) -> str:
    """What your model would answer."""
    return f"I will remember that you said: {text}"


def chat() -> None:
    """Reads lines until the input ends. Raises the errors of Producer."""
    session = datetime.now().astimezone().isoformat(timespec="seconds")
    with Producer() as memory:
        print("Say something; Ctrl-D ends the chat.", flush=True)
        for line in sys.stdin:
            if text := line.strip():
                memory.publish("user", text, session, speaker="me")
                reply = reply_to(text)
                memory.publish("assistant", reply, session)
                print(reply, flush=True)
        memory.close_session(session)


if __name__ == "__main__":
    try:
        chat()
    except MnemologError as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        sys.exit(130)
