"""A process that has loaded `mnemolog` once and makes a copy of itself for each command line that it is sent.

Loading costs most of what a short command costs. A copy is a process of its own: it has the given environment, folder,
input and outputs, ends with its own exit status, and shares nothing with the copies before it.

Run as a program, with the number of a connected socket. A request is one line of JSON (`args`, `env`, `cwd`) with three
descriptors. It is answered by the copy's process id and, after its end, by its exit status, a line each.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import time
from importlib import import_module
from typing import Any

from mnemolog.gateway.cli.commands import CHAPTERS
from mnemolog.gateway.cli.main import main

PART_BYTES = 2**16


def serve(connection: socket.socket) -> bool:
    """Answers requests until there are no more. True in a copy, which is to run the command line."""
    while True:
        line, descriptors, _, _ = socket.recv_fds(connection, PART_BYTES, 3)
        if not line:
            return False
        while not line.endswith(b"\n"):
            line += connection.recv(PART_BYTES)
        copy = os.fork()
        if not copy:
            become(json.loads(line), descriptors)
            return True
        for descriptor in descriptors:
            os.close(descriptor)
        connection.sendall(b"%d\n" % copy)
        _, status = os.waitpid(copy, 0)
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def become(request: dict[str, Any], descriptors: list[int]) -> None:
    """Takes on the arguments, environment, folder, input and outputs of a request."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    os.chdir(request["cwd"])
    sys.argv[1:] = request["args"]


if __name__ == "__main__":
    for module in {module for chapter in CHAPTERS.values() for _, module, _ in chapter}:
        import_module(f"mnemolog.gateway.cli.{module}")
    # What all copies share is not to be copied because a collector looks at it.
    gc.freeze()
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        is_copy = serve(requests)
    if is_copy:
        signal.signal(signal.SIGINT, interrupt)
        main()
