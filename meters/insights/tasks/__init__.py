"""Background work of insights, by topic."""
