"""Models: one file per method."""
