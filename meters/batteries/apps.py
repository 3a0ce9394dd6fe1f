from django.apps import AppConfig


class BatteriesConfig(AppConfig):
    name = "meters.batteries"
    label = "batteries"
    default_auto_field = "django.db.models.BigAutoField"
