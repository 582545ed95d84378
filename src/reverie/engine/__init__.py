"""The engine: turns and rounds, noise, checkpoints, guards, ranks; it knows no model by name."""
