"""Everything that reads or derives: indexes, embedders, recall."""
