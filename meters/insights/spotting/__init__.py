"""What does not fit: how unusual each half-hour of a series is, and in which way."""

from meters.insights.spotting.episodes import Episode, episodes
from meters.insights.spotting.joining import Scored, score_recent
from meters.insights.spotting.learnt import Taught, teach
from meters.insights.spotting.usual import Usual, usual_of

__all__ = ["Episode", "Scored", "Taught", "Usual", "episodes", "score_recent", "teach", "usual_of"]
