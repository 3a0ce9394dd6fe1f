"""A simulated battery's ways into a portal: files and live readings."""
