"""Text: drawing it symbol by symbol, measuring what a model says of it, coding it, and finding what was copied."""
