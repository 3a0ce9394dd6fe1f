"""How the API's ways of logging in appear in its OpenAPI document."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class SourceKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The key of a data source."""

    target_class = "accounts.api.authentication.DataSourceAuthentication"
    name = "sourceKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "ep_<prefix>_<secret>",
            "description": "The key of a data source, which opens what its scopes name.",
        }


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """A person's access token."""

    target_class = "accounts.api.authentication.TokenAuthentication"
    name = "accessToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A person's access token, from POST /api/v1/auth/token.",
        }


class TicketScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """A ticket for one stream."""

    target_class = "accounts.api.authentication.TicketAuthentication"
    name = "streamTicket"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "query",
            "name": "ticket",
            "description": "From POST /api/v1/stream-tickets, for a minute and one stream.",
        }
