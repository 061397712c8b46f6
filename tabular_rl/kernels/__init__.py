"""Compiled loops: arithmetic alone."""
