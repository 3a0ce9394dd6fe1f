#!/usr/bin/env python
"""Run the portal's commands: ``python manage.py help``."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import OperationalError

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "energy_portal.settings.development")
    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"The database does not answer: {error}\nStart the portal (manage.py portal), or set DATABASE_URL.")
