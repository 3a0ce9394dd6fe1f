"""The one error of backup, restore and drill that a person reads."""


class SafekeepingFailed(RuntimeError):
    """It was not done, and what was there before is as it was; the message says why and what helps."""
