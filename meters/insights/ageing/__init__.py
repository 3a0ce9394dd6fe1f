"""How a battery ages: what a day of its BMS tells of its cells in like conditions, and where that leads. No database.

A day is measured apart by *conditions*, the charge and the temperature of the cells, and for resistances how long a
step took: a cell's resistance and what a weak cell shows depend on them far more than on a year of age. Days are then
compared in like conditions only.
"""

from meters.insights.ageing.measuring import (
    COLUMNS,
    LOOK_BACK_US,
    Day,
    Quantity,
    Rows,
    conditions_text,
    measure,
)
from meters.insights.ageing.trending import (
    FEWEST_DAYS,
    LIMITS,
    WINDOW_DAYS,
    Course,
    Limit,
    Line,
    Reason,
    Trend,
    course_of,
    line_through,
    trend_of,
)
from meters.insights.ageing.wording import WORDS, Words, outlook_text, pace_text

__all__ = [
    "COLUMNS",
    "FEWEST_DAYS",
    "LIMITS",
    "LOOK_BACK_US",
    "WINDOW_DAYS",
    "WORDS",
    "Course",
    "Day",
    "Limit",
    "Line",
    "Quantity",
    "Reason",
    "Rows",
    "Trend",
    "Words",
    "conditions_text",
    "course_of",
    "line_through",
    "measure",
    "outlook_text",
    "pace_text",
    "trend_of",
]
