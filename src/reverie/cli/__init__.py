"""The command line: which command is meant, its flags and its help, and what a terminal shows."""

from reverie.cli.entry import main

__all__ = ["main"]
