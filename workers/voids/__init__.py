"""Voids: outcomes that no longer count, tried out first, and taken back."""
