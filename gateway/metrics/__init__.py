"""Metrics for Prometheus: the spaces of a data folder, read when they are asked for, and what doors did."""
