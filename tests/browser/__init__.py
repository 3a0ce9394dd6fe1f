"""Pages in a real browser, which runs until the last test of this package has ended."""
