"""Keep tariffs."""

from billing.models import Tariff


def load_singapore_tariff() -> Tariff:
    """Store the Singapore household tariff, the default one, and GST, with every version that is known; repeatable."""
    raise NotImplementedError
