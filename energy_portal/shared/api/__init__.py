"""What every API view shares.

Nothing here imports rest_framework.views, which imports the classes that the settings name, these among them.
"""

from energy_portal.shared.api.exceptions import problem_details
from energy_portal.shared.api.media import ProblemAwareJSONRenderer, SafeCSVRenderer, StrictJSONParser
from energy_portal.shared.api.pagination import KeysetPagination
from energy_portal.shared.api.throttling import CallerThrottle

__all__ = [
    "CallerThrottle",
    "KeysetPagination",
    "ProblemAwareJSONRenderer",
    "SafeCSVRenderer",
    "StrictJSONParser",
    "problem_details",
]
