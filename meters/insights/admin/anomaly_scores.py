"""The scoreboard's part about anomalies: how often those who know said that one was."""

from datetime import datetime
from typing import Any

from accounts.models import User
from meters.insights.models import Anomaly
from meters.insights.selectors.precision import Precision, precision_between
from meters.models import RegionManager

_EN_DASH = "\N{EN DASH}"


def anomaly_board(user: User, start: datetime, end: datetime) -> dict[str, Any]:
    """Return what the page shows of the anomalies that began in ``[start, end)`` and that somebody may see."""
    found = precision_between(start, end, rows=Anomaly.objects.visible_to(user))
    rate = found.alerts_a_meter_and_week
    # What is watched in some regions alone is not counted apart.
    tells_rate = rate is not None and not RegionManager.objects.filter(user=user).exists()
    tables = (
        ("By kind", found.by_kind),
        ("By detector", found.by_detector),
        ("By whom it is of", found.by_cohort),
    )
    return {
        "found": found.overall.found,
        "precision": _percent(found.overall),
        "judged": found.overall.real + found.overall.normal,
        "rate": f"{rate:.2f}" if tells_rate else _EN_DASH,
        "tables": [{"head": head, "rows": [_line(each) for each in rows]} for head, rows in tables if rows],
    }


def _line(row: Precision) -> dict[str, Any]:
    name = row.group.replace("service_point:", "").replace("_", " ")
    return {
        "name": name[:1].upper() + name[1:],
        "found": row.found,
        "alarmed": row.alarmed,
        "real": row.real,
        "normal": row.normal,
        "precision": _percent(row),
    }


def _percent(row: Precision) -> str:
    return _EN_DASH if row.share is None else f"{100 * row.share:.0f} %"
