"""What changed in a span of the log."""
