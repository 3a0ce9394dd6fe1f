"""Paths of meters."""

from django.urls import URLPattern, URLResolver

app_name = "meters"

urlpatterns: list[URLPattern | URLResolver] = []
