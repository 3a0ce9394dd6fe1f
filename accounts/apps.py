from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the ways of logging in known to the OpenAPI document, and the mails to whoever sends them."""
        import accounts.api.schema
        import accounts.tasks  # noqa: F401
