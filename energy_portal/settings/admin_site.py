"""How the managers' admin looks and what stands on its front page."""

from typing import Any

from django.templatetags.static import static

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Energy portal",
    "SITE_HEADER": "Energy portal",
    "SITE_SUBHEADER": "Metering and bills",
    "SITE_SYMBOL": "bolt",
    "SITE_URL": "/",
    "SITE_DROPDOWN": [
        {"icon": "home", "title": "Portal", "link": "/"},
        {"icon": "api", "title": "API documentation", "link": "/docs"},
        {"icon": "menu_book", "title": "API reference", "link": "/redoc"},
        {"icon": "monitor_heart", "title": "Health", "link": "/health"},
    ],
    "BORDER_RADIUS": "8px",
    "SHOW_BACK_BUTTON": True,
    "STYLES": [lambda request: static("portal/admin.css"), lambda request: static("portal/desk.css")],
    "DASHBOARD_CALLBACK": "energy_portal.dashboard.front_page",
    "COMMAND": {"search_models": ["accounts.customeraccount", "meters.servicepoint", "meters.meter", "billing.bill"]},
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": "energy_portal.navigation.sidebar",
    },
    "COLORS": {
        "base": {
            "50": "#f8fafc",
            "100": "#f1f5f9",
            "200": "#e2e8f0",
            "300": "#cbd5e1",
            "400": "#9fb0c9",
            "500": "#64748b",
            "600": "#475569",
            "700": "#334155",
            "800": "#24324d",
            "900": "#111a2e",
            "950": "#0b1220",
        },
        # Buttons are white on 600: the accent itself stands there, so that they are readable.
        "primary": {
            "50": "#ecfeff",
            "100": "#cffafe",
            "200": "#a5f3fc",
            "300": "#67e8f9",
            "400": "#22d3ee",
            "500": "#0891b2",
            "600": "#0e7490",
            "700": "#155e75",
            "800": "#164e63",
            "900": "#134152",
            "950": "#083344",
        },
    },
}
