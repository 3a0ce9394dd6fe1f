"""Numbers in Simplified Chinese: thousands by commas, as on bills here; Django's own has none."""

THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
