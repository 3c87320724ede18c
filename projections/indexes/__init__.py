"""The indexes of a file: terms, full text, vectors, and the embedders that make these."""
