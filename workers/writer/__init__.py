"""The writer: reads the streams, archives, folds, commits, and keeps house."""
