import asyncio

from asgiref.sync import sync_to_async
from django.core.cache import caches

from energy_portal.shared.cache import SharedRedisCache

A = "unix:///nowhere/a.sock?db=0"
B = "unix:///nowhere/b.sock?db=0"


def client_of(server):
    return SharedRedisCache(server, {})._cache.get_client("key", write=True)


class TestTheSharedCache:
    def test_keeps_one_client_of_a_server(self):
        assert client_of(A) is client_of(A)
        assert client_of(A) is not client_of(B)

    def test_keeps_it_from_request_to_request(self, settings):
        settings.CACHES = {"default": {"BACKEND": "energy_portal.shared.cache.SharedRedisCache", "LOCATION": A}}

        async def a_request():
            return await sync_to_async(lambda: (caches["default"], caches["default"]._cache.get_client()))()

        async def two():
            return await asyncio.gather(asyncio.create_task(a_request()), asyncio.create_task(a_request()))

        (first, a_client), (second, another) = asyncio.run(two())

        assert first is not second
        assert a_client is another
