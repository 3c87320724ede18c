"""Engines: what reads messages, judges pairs of cells and sums up scenes; by rules, or by a language model."""
