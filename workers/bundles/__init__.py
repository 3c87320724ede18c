"""Bundles: a whole memory in one file, to move it, to keep it safe, to fork it."""
