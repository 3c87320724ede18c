"""Why something is told, and why something is not."""
