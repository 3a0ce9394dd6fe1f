import pytest

from meters.insights.forecasters import boosting


@pytest.fixture(scope="module")
def few_rounds():
    """Have boosting learn in a fifth of its rounds: good enough to be tested, and as quick."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boosting, "_ROUNDS_OF_MEAN", 30)
        patch.setattr(boosting, "_ROUNDS_OF_RANKS", 20)
        yield
