"""Building a file again from its log: replay, snapshots, and what was known at a moment."""
