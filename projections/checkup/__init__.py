"""Checkups: what can be wrong with a memory and the machine that it lives on."""
