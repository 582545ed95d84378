"""Objectives: pure functions, per example in and per example out."""
