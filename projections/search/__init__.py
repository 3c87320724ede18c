"""Search: from a question to ranked nodes."""
