"""The lines of a context: what could be told, what fits, and how it is said."""
