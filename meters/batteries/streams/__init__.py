"""What stays open of batteries: readings as they come in, or what they once told, over websockets and event streams.

One listener a client, one hub a process. The hub hears of all batteries' readings by one group of the channel layer,
hands each to the listeners of its battery, and never waits for any of them.
"""

from meters.batteries.streams.broadcasting import broadcast
from meters.batteries.streams.events import Event
from meters.batteries.streams.feed import Feed
from meters.batteries.streams.hub import NOT_THEIRS, end_streams, hub_here
from meters.batteries.streams.listener import Listener
from meters.batteries.streams.wishes import Wish, wish_of

__all__ = ["NOT_THEIRS", "Event", "Feed", "Listener", "Wish", "broadcast", "end_streams", "hub_here", "wish_of"]
