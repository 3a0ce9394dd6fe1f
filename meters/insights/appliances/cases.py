"""What all rules share."""


class NotEnough(Exception):
    """A kind of fault cannot be judged; the message says why, in plain words."""
