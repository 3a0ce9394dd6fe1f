"""The shared cache, over connections that every thread of a process has in common."""

from functools import cache
from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis import Redis


class SharedRedisCache(RedisCache):
    """One Redis or Valkey as Django's cache.

    Django itself makes a cache anew for each request that a server answers, and with it a connection.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = _Client


class _Client(RedisCacheClient):
    def __init__(self, servers: list[str], **options: Any) -> None:
        super().__init__(servers, **options)
        self._own = _connected(servers[0])

    def get_client(self, key: Any = None, *, write: bool = False) -> Redis:
        """Return the process's one client, which lends each call a connection."""
        return self._own


@cache
def _connected(url: str) -> Redis:
    return Redis.from_url(url)
