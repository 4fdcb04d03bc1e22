"""What keeps a home safe: backups of it, and what can be put right in it without rewriting history."""
