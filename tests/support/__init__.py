"""Helpers of the tests: waiting for a state, running the installed command, processes to be killed and stopped."""

from support.commands import mnemolog_command, run_cli, run_installed
from support.processes import Process, start_cli, start_python
from support.waiting import wait_until

__all__ = ["Process", "mnemolog_command", "run_cli", "run_installed", "start_cli", "start_python", "wait_until"]
