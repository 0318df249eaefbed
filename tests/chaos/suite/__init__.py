"""The chaos suite: what can go wrong, done to a running service, and what became of its requests."""
