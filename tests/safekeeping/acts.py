"""What tests of safekeeping share: the commands, and what they leave behind."""

import json
from datetime import UTC, date, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from meters.models import RegisterReading

FEBRUARY, MARCH = date(2025, 2, 1), date(2025, 3, 1)
ISSUED_AT = datetime(2025, 3, 2, tzinfo=UTC)
PHOTO = b"the photo of a dial"


def run(command, folder, *arguments):
    said = StringIO()
    call_command(command, str(folder), *arguments, stdout=said)
    return said.getvalue()


def run_json(command, folder, *arguments):
    return json.loads(run(command, folder, "--json", *arguments))


def differences(folder):
    """Run a drill that must fail and return what differs by check."""
    said = StringIO()
    with pytest.raises(CommandError, match="differences"):
        call_command("restore_drill", str(folder), "--json", stdout=said)
    return {
        check["name"]: check["differences"] for check in json.loads(said.getvalue())["checks"] if check["differences"]
    }


def databases():
    """List the databases beside the portal's that have its name in theirs."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [own_database() + "_"])
        # A parallel run's workers have databases of their own, named alike.
        return {name for (name,) in cursor.fetchall() if not name.removeprefix(own_database() + "_").startswith("gw")}


def own_database():
    return connection.settings_dict["NAME"]


def tamper(statement, *values):
    """Change what the triggers guard, as somebody with the database's password could."""
    with connection.cursor() as cursor:
        for table in ("billing_bill", "billing_billline"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(statement, values)
        for table in ("billing_bill", "billing_billline"):
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def readings():
    return list(RegisterReading.objects.order_by("register_id", "time").values_list("register_id", "time", "value"))
