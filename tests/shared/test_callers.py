from types import SimpleNamespace

import pytest
from django.test import RequestFactory

from energy_portal.shared.callers import client_address, is_loopback, source_of


def request_from(address, **headers):
    return RequestFactory().get("/", REMOTE_ADDR=address, headers=headers)


class TestClientAddress:
    @pytest.mark.parametrize(
        ("proxies", "forwarded", "expected"),
        [
            (0, "1.1.1.1", "9.9.9.9"),
            (1, "1.1.1.1, 2.2.2.2", "2.2.2.2"),
            (2, "1.1.1.1, 2.2.2.2", "1.1.1.1"),
            (2, "2.2.2.2", "2.2.2.2"),
            (1, "", "9.9.9.9"),
        ],
    )
    def test_believes_only_our_own_proxies(self, settings, proxies, forwarded, expected):
        settings.TRUSTED_PROXIES = proxies

        assert client_address(request_from("9.9.9.9", X_Forwarded_For=forwarded)) == expected


class TestIsLoopback:
    @pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
    def test_knows_this_machine(self, address):
        assert is_loopback(request_from(address))

    @pytest.mark.parametrize("address", ["10.0.0.1", "", "::ffff:10.0.0.1", "localhost", "2001:db8::1"])
    def test_knows_others(self, address):
        assert not is_loopback(request_from(address))

    @pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP", "X-Forwarded-Host"])
    def test_is_not_fooled_by_a_proxy_on_this_machine(self, header):
        assert not is_loopback(request_from("127.0.0.1", **{header.replace("-", "_"): "8.8.8.8"}))


class TestSourceOf:
    def test_is_the_source_itself_or_that_of_a_key(self):
        source = SimpleNamespace(allows=lambda scope: True)

        assert source_of(source) is source
        assert source_of(SimpleNamespace(source=source)) is source

    @pytest.mark.parametrize("credential", [None, "token", {"user_id": 1}])
    def test_is_nobody_for_other_credentials(self, credential):
        assert source_of(credential) is None
