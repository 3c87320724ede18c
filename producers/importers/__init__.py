"""Importers of other programs' files: a reader for each, with its own dates, roles and sessions."""
