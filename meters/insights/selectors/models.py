"""The models that were taught, ready to speak."""

import hashlib
import logging
from functools import lru_cache
from uuid import UUID

from meters.insights.forecasters.registry import Forecaster
from meters.insights.forecasters.serving import CannotRead, unpack
from meters.insights.models import ForecastModel

logger = logging.getLogger(__name__)


def active_model(cohort: str) -> tuple[ForecastModel, Forecaster] | None:
    """Return the model that serves a cohort and what it says; None where there is none that can be read. One query.

    Its content is read once a process and version.
    """
    rows = ForecastModel.objects.filter(cohort=cohort, state=ForecastModel.State.ACTIVE).defer("content")
    row = rows.first()
    if row is None:
        return None
    forecaster = forecaster_of(row)
    return None if forecaster is None else (row, forecaster)


def forecaster_of(row: ForecastModel) -> Forecaster | None:
    """Return what a model says; None, and a line in the log, where it cannot be read here."""
    try:
        return _unpacked(row.pk, row.digest)
    except CannotRead as error:
        logger.warning("The model %s cannot be read: %s", row, error)
        return None


@lru_cache(maxsize=8)
def _unpacked(model_id: UUID, digest: str) -> Forecaster:
    content, made_with = ForecastModel.objects.values_list("content", "made_with").get(pk=model_id)
    data = bytes(content)
    if hashlib.sha256(data).hexdigest() != digest:
        raise CannotRead("Its content is not what was stored.")
    return unpack(data, made_with)
