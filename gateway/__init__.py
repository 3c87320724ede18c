"""The front doors, thin: the command line."""
