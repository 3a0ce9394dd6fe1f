"""Carries what a simulated fleet says to a running portal, over HTTP or MQTT, and counts what became of it."""
