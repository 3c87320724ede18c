"""Everything that changes memory: the writer, the fold, replay."""
