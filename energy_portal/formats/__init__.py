"""How numbers are written where Django's own locale would write them otherwise."""
