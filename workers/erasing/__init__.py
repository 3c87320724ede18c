"""Erasing: what goes with a speaker, a session or an event, and the steps by which nothing of it stays anywhere."""
