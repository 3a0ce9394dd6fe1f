"""Simplified Chinese as written in Singapore."""
