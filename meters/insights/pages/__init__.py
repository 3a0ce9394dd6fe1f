"""Pages of insights, and parts that pages of other apps show."""
