"""What can be configured, where it may come from, and who wins."""
