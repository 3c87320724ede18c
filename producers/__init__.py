"""Everything that puts interactions and requests on the log."""
