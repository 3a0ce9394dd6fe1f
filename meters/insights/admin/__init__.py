"""The pages of forecasts, anomalies and faults for managers."""
