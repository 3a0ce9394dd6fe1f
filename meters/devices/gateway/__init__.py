"""The MQTT gateway: what devices publish comes in, commands and alerts go out."""
