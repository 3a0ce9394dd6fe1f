from meters.insights.models.anomalies import Anomaly, Baseline, DetectorModel
from meters.insights.models.faults import Appliance, Fault
from meters.insights.models.forecasts import Forecast, ForecastModel
from meters.insights.models.scores import ForecastScore, ScoreDay
from meters.insights.models.subjects import Subject
from meters.insights.models.surroundings import Holiday, Weather
from meters.insights.models.trends import BatteryTrend

__all__ = [
    "Anomaly",
    "Appliance",
    "Baseline",
    "BatteryTrend",
    "DetectorModel",
    "Fault",
    "Forecast",
    "ForecastModel",
    "ForecastScore",
    "Holiday",
    "ScoreDay",
    "Subject",
    "Weather",
]
