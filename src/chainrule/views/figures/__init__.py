"""Figures of matplotlib in our look, for pictures and for our own drawings."""
