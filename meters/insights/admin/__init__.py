"""The pages of forecasts, anomalies and faults for managers."""

from meters.insights.admin.anomalies import AnomalyAdmin, DetectorModelAdmin

__all__ = ["AnomalyAdmin", "DetectorModelAdmin"]
from meters.insights.admin.scoreboard import ForecastScoreAdmin

__all__ = ["ForecastScoreAdmin"]
from meters.insights.admin.trends import BatteryTrendAdmin

__all__ = ["BatteryTrendAdmin"]
