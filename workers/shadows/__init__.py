"""Shadows: a memory extracted again by another engine, compared, and promoted."""
