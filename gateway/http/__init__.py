"""The HTTP API: one table of routes over the facade of all doors, and the server that runs it."""
