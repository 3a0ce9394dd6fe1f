"""What does not fit: how unusual each half-hour of a series is, and in which way."""
