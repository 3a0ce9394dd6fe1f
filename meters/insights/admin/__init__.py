"""The pages of forecasts, anomalies and faults for managers."""

from meters.insights.admin.anomalies import AnomalyAdmin, DetectorModelAdmin
from meters.insights.admin.faults import ApplianceAdmin, FaultAdmin
from meters.insights.admin.forecasts import ForecastAdmin, ForecastModelAdmin, HolidayAdmin, WeatherAdmin
from meters.insights.admin.scoreboard import ForecastScoreAdmin
from meters.insights.admin.trends import BatteryTrendAdmin

__all__ = [
    "AnomalyAdmin",
    "ApplianceAdmin",
    "BatteryTrendAdmin",
    "DetectorModelAdmin",
    "FaultAdmin",
    "ForecastAdmin",
    "ForecastModelAdmin",
    "ForecastScoreAdmin",
    "HolidayAdmin",
    "WeatherAdmin",
]
