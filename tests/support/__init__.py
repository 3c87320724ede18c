"""Helpers of the tests: waiting for a state, running the installed command, processes to be killed and stopped."""

from support.processes import Process, mnemolog_command, run_cli, start_cli, start_python
from support.waiting import wait_until

__all__ = ["Process", "mnemolog_command", "run_cli", "start_cli", "start_python", "wait_until"]
