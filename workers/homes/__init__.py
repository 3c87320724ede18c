"""Homes: which machine keeps a space's file and archive, claimed in Redis and handed over in order."""
