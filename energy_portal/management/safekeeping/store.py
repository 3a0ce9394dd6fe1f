"""The hand-written SQL of backup, restore and drill."""

IN_UTC = "SET TIME ZONE 'UTC'"
EXPORT_SNAPSHOT = "SELECT pg_export_snapshot()"
ONE_AT_A_TIME = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
OTHER_SESSIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = %s AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
HOLD_ARCHIVE = "SELECT pg_advisory_lock_shared(hashtextextended(%s, 0))"
TRAITS = """
    SELECT to_jsonb(found) FROM (
        SELECT *, pg_encoding_to_char(encoding) AS encoding_name FROM pg_database WHERE datname = %s
    ) AS found
"""
CREATE_DATABASE = "CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER {provider} {options}"
DROP_DATABASE = "DROP DATABASE IF EXISTS {name}"
RENAME_DATABASE = "ALTER DATABASE {name} RENAME TO {new_name}"

TABLES = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname
"""
PARTITIONS = """
    SELECT parent.relname, child.relname, pg_get_expr(child.relpartbound, child.oid)
    FROM pg_inherits
    JOIN pg_class AS child ON child.oid = inhrelid
    JOIN pg_class AS parent ON parent.oid = inhparent
    WHERE child.relispartition AND child.relkind IN ('r', 'p') ORDER BY 1, 2
"""
COUNT_ROWS = "SELECT count(*) FROM {table}"
HOLDS_ROWS = "SELECT EXISTS (SELECT FROM {table})"
HELD_TABLES = """
    SELECT array_agg(relname::text) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname = ANY(%s)
"""
MIGRATIONS = "SELECT app || '.' || name FROM django_migrations ORDER BY 1"

MONTHS = """
    SELECT to_char(month, 'YYYY-MM'), status, currency, count(*), sum(subtotal), sum(tax), sum(total)
    FROM billing_bill GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
# The same from the lines alone: nothing of the bill but its month, status and currency.
MONTHS_FROM_LINES = """
    SELECT to_char(bill.month, 'YYYY-MM'), bill.status, bill.currency, count(*),
           sum(lines.subtotal), sum(lines.tax), sum(lines.subtotal + lines.tax)
    FROM billing_bill AS bill
    LEFT JOIN LATERAL (
        SELECT CASE WHEN bill.total IS NOT NULL OR count(*) > 0 THEN
                   coalesce(sum(amount) FILTER (WHERE kind <> 'tax'), 0) END AS subtotal,
               CASE WHEN bill.total IS NOT NULL OR count(*) > 0 THEN
                   coalesce(sum(amount) FILTER (WHERE kind = 'tax'), 0) END AS tax
        FROM billing_billline WHERE bill_id = bill.id
    ) AS lines ON true
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
BILLS_AGAINST_LINES = """
    SELECT coalesce(bill.number, bill.id::text), bill.subtotal, bill.tax, bill.total, lines.subtotal, lines.tax
    FROM billing_bill AS bill
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(amount) FILTER (WHERE kind <> 'tax'), 0) AS subtotal,
               coalesce(sum(amount) FILTER (WHERE kind = 'tax'), 0) AS tax
        FROM billing_billline WHERE bill_id = bill.id
    ) AS lines
    WHERE bill.total IS NOT NULL
      AND (bill.subtotal, bill.tax, bill.total)
          IS DISTINCT FROM (lines.subtotal, lines.tax, lines.subtotal + lines.tax)
    ORDER BY 1
"""
# A line's amount is its quantity at its rate, half up to the cent, which numeric's round is above zero.
LINES_MISPRICED = """
    SELECT coalesce(bill.number, bill.id::text), line.position, line.amount, round(line.quantity * line.rate, 2)
    FROM billing_billline AS line JOIN billing_bill AS bill ON bill.id = line.bill_id
    WHERE line.amount <> round(line.quantity * line.rate, 2)
    ORDER BY 1, 2
"""
STANDING_BILLS = """
    SELECT id, number, account_id, month, period, currency, consumption_kwh, subtotal, tax, total, issued_at
    FROM billing_bill WHERE status IN ('issued', 'archived') ORDER BY id
"""

# One descent of the key a register.
NEWEST_READINGS = """
    SELECT register.id, newest.time, newest.value
    FROM meters_register AS register CROSS JOIN LATERAL (
        SELECT time, value FROM meters_registerreading
        WHERE register_id = register.id ORDER BY time DESC LIMIT 1
    ) AS newest
    ORDER BY register.id
"""
# What a register showed when it was taken down is its newest value too, and stands on the chain.
STATES_WITHOUT_READING = """
    SELECT state.register_id, state.last_time, state.last_value
    FROM meters_registerstate AS state
    WHERE state.last_time IS NOT NULL AND NOT EXISTS (
        SELECT FROM meters_registerreading AS reading
        WHERE reading.register_id = state.register_id AND reading.time = state.last_time
    )
      AND NOT EXISTS (
        SELECT FROM meters_chainevent AS event
        WHERE event.register_id = state.register_id AND event.at = state.last_time
    )
    ORDER BY 1
"""
ARCHIVED_MONTHS = """
    SELECT path, low, high, rows, digest, manifest ->> 'digest' FROM meters_archivedmonth ORDER BY path
"""
ARCHIVED_DAYS = """
    SELECT file, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC', rows, digest,
           manifest ->> 'digest'
    FROM devices_archivedday ORDER BY file
"""
