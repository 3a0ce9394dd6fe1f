"""The pages of forecasts, anomalies and faults for managers."""

from meters.insights.admin.anomalies import AnomalyAdmin, DetectorModelAdmin

__all__ = ["AnomalyAdmin", "DetectorModelAdmin"]
