"""Network builders. No losses, no distributions: shapes in, modules out."""
