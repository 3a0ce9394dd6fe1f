"""What the database itself holds about credit notes, corrected bills, corrections and disputes.

A credit note is issued only as the exact negative of a bill of the same account, month and currency, and is never made
void. A bill that stands in for another is issued only once that one is void. Decided corrections and closed disputes
stay as they are, and none is ever deleted; the steps of a dispute are only added.

As before, of whatever was issued nothing but the status moves: the whole row is compared, so columns that later
migrations add are guarded from the start.
"""

from django.db import migrations

GUARD_BILL = """
CREATE OR REPLACE FUNCTION billing_guard_bill() RETURNS trigger LANGUAGE plpgsql AS $$
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
        IF NEW.status = 'issued' AND NEW.corrects_id IS NOT NULL THEN
            PERFORM FROM billing_bill AS original
            WHERE original.id = NEW.corrects_id AND original.kind = 'bill'
                AND original.account_id = NEW.account_id AND original.month = NEW.month
                AND CASE NEW.kind
                    WHEN 'credit_note' THEN original.status IN ('issued', 'void')
                        AND original.currency = NEW.currency
                        AND original.subtotal = -NEW.subtotal AND original.tax = -NEW.tax
                    ELSE original.status = 'void'
                END;
            IF NOT FOUND THEN
                RAISE EXCEPTION '% % does not fit the bill that it corrects', NEW.kind, NEW.number
                    USING ERRCODE = 'restrict_violation';
            END IF;
        END IF;
        RETURN NEW;
    END IF;
    moved := OLD;
    moved.status := NEW.status;
    IF moved IS DISTINCT FROM NEW OR OLD.status <> 'issued' OR NEW.status NOT IN ('void', 'archived') THEN
        RAISE EXCEPTION 'bill % is %: it cannot be changed', OLD.number, OLD.status
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.status = 'void' AND OLD.kind = 'credit_note' THEN
        RAISE EXCEPTION 'credit note % cannot be taken back', OLD.number USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
"""

GUARD_RECORDS = """
CREATE FUNCTION billing_guard_record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NOT coalesce(OLD.status = ANY (TG_ARGV), FALSE) THEN
        RAISE EXCEPTION '% % is %: it stays as it is', TG_TABLE_NAME, OLD.id, OLD.status
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_guard_correction BEFORE UPDATE OR DELETE ON billing_correction
    FOR EACH ROW EXECUTE FUNCTION billing_guard_record('open');
CREATE TRIGGER billing_guard_dispute BEFORE UPDATE OR DELETE ON billing_dispute
    FOR EACH ROW EXECUTE FUNCTION billing_guard_record('open', 'readings_asked', 'correcting');
CREATE TRIGGER billing_guard_dispute_step BEFORE UPDATE OR DELETE ON billing_disputestep
    FOR EACH ROW EXECUTE FUNCTION billing_guard_record();
"""

UNGUARD_RECORDS = """
DROP TRIGGER billing_guard_dispute_step ON billing_disputestep;
DROP TRIGGER billing_guard_dispute ON billing_dispute;
DROP TRIGGER billing_guard_correction ON billing_correction;
DROP FUNCTION billing_guard_record();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0010_corrections_and_disputes")]

    operations = [
        migrations.RunSQL(GUARD_BILL, migrations.RunSQL.noop),
        migrations.RunSQL(GUARD_RECORDS, UNGUARD_RECORDS),
    ]
