"""Documents on paper: a sheet that is filled from the top, in fonts that every reader of PDF has."""
