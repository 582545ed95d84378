"""Metrics: how good a model is, each figure with its protocol and, where it has one, its standard error."""
