"""Issued bills and their lines: the database itself refuses to change them.

A draft may be changed, deleted or issued. Of an issued bill only the status moves, to void or archived, and the two
lead nowhere. Lines follow their bill: only a draft's may be written. TRUNCATE fires no row trigger.
"""

from django.db import migrations

GUARD_BILL = """
CREATE FUNCTION billing_guard_bill() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    moved billing_bill;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'draft' THEN
            RAISE EXCEPTION 'a bill starts as a draft' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' THEN
        IF OLD.status <> 'draft' THEN
            RAISE EXCEPTION 'bill % is %: it cannot be deleted', OLD.number, OLD.status
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF OLD.status = 'draft' THEN
        IF NEW.status NOT IN ('draft', 'issued') THEN
            RAISE EXCEPTION 'a draft cannot become %', NEW.status USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    moved := OLD;
    moved.status := NEW.status;
    IF moved IS DISTINCT FROM NEW OR OLD.status <> 'issued' OR NEW.status NOT IN ('void', 'archived') THEN
        RAISE EXCEPTION 'bill % is %: it cannot be changed', OLD.number, OLD.status
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_guard_bill BEFORE INSERT OR UPDATE OR DELETE ON billing_bill
    FOR EACH ROW EXECUTE FUNCTION billing_guard_bill();
"""

# FOR SHARE waits for an issue in flight, so that no line slips in behind it.
GUARD_LINES = """
CREATE FUNCTION billing_guard_new_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (
            SELECT status FROM billing_bill WHERE id IN (SELECT bill_id FROM new_lines) ORDER BY id FOR SHARE
        ) AS bill WHERE bill.status <> 'draft'
    ) THEN
        RAISE EXCEPTION 'the lines of an issued bill cannot be changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION billing_guard_old_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (
            SELECT status FROM billing_bill WHERE id IN (SELECT bill_id FROM old_lines) ORDER BY id FOR SHARE
        ) AS bill WHERE bill.status <> 'draft'
    ) THEN
        RAISE EXCEPTION 'the lines of an issued bill cannot be changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_guard_inserted_lines AFTER INSERT ON billing_billline
    REFERENCING NEW TABLE AS new_lines FOR EACH STATEMENT EXECUTE FUNCTION billing_guard_new_lines();
CREATE TRIGGER billing_guard_updated_lines AFTER UPDATE ON billing_billline
    REFERENCING NEW TABLE AS new_lines FOR EACH STATEMENT EXECUTE FUNCTION billing_guard_new_lines();
CREATE TRIGGER billing_guard_left_lines AFTER UPDATE ON billing_billline
    REFERENCING OLD TABLE AS old_lines FOR EACH STATEMENT EXECUTE FUNCTION billing_guard_old_lines();
CREATE TRIGGER billing_guard_deleted_lines AFTER DELETE ON billing_billline
    REFERENCING OLD TABLE AS old_lines FOR EACH STATEMENT EXECUTE FUNCTION billing_guard_old_lines();
"""

UNGUARD = """
DROP TRIGGER billing_guard_deleted_lines ON billing_billline;
DROP TRIGGER billing_guard_left_lines ON billing_billline;
DROP TRIGGER billing_guard_updated_lines ON billing_billline;
DROP TRIGGER billing_guard_inserted_lines ON billing_billline;
DROP FUNCTION billing_guard_old_lines();
DROP FUNCTION billing_guard_new_lines();
DROP TRIGGER billing_guard_bill ON billing_bill;
DROP FUNCTION billing_guard_bill();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_bill_numbers_and_holds")]

    operations = [migrations.RunSQL(GUARD_BILL + GUARD_LINES, UNGUARD)]
