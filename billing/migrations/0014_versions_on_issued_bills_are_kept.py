"""Components of a tariff's version that issued bills name: the database itself refuses to change them.

Lines of drafts name versions too; a draft is rated anew. TRUNCATE fires no row trigger.
"""

from django.db import migrations

# Only the versions of a few rows are looked up: billing_billline has an index on tariff_version_id.
GUARD = """
CREATE FUNCTION billing_guard_component() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM billing_billline AS line JOIN billing_bill AS bill ON bill.id = line.bill_id
        WHERE line.tariff_version_id IN (
            CASE WHEN TG_OP = 'INSERT' THEN NEW.version_id ELSE OLD.version_id END,
            CASE WHEN TG_OP = 'DELETE' THEN OLD.version_id ELSE NEW.version_id END
        ) AND bill.status <> 'draft'
    ) THEN
        RAISE EXCEPTION 'issued bills rest on this version of a tariff: its components cannot be changed'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_guard_component BEFORE INSERT OR UPDATE OR DELETE ON billing_tariffcomponent
    FOR EACH ROW EXECUTE FUNCTION billing_guard_component();
"""

UNGUARD = """
DROP TRIGGER billing_guard_component ON billing_tariffcomponent;
DROP FUNCTION billing_guard_component();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0013_payments_are_append_only")]

    operations = [migrations.RunSQL(GUARD, UNGUARD)]
