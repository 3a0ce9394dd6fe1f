"""Payments: the database itself refuses to change or delete one, and holds a reversal to what it takes back.

A mistake is righted by a contrary entry that names the other. TRUNCATE fires no row trigger.
"""

from django.db import migrations

GUARD = """
CREATE FUNCTION billing_guard_payment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    taken_back billing_payment;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        RAISE EXCEPTION 'payment % stands: a reversal takes it back', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.reverses_id IS NOT NULL THEN
        SELECT * INTO taken_back FROM billing_payment WHERE id = NEW.reverses_id;
        IF taken_back.kind = 'reversal' OR NEW.amount <> -taken_back.amount
            OR NEW.currency <> taken_back.currency OR NEW.account_id <> taken_back.account_id
        THEN
            RAISE EXCEPTION 'a reversal is the contrary of the entry that it takes back'
                USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_guard_payment BEFORE INSERT OR UPDATE OR DELETE ON billing_payment
    FOR EACH ROW EXECUTE FUNCTION billing_guard_payment();
"""

UNGUARD = """
DROP TRIGGER billing_guard_payment ON billing_payment;
DROP FUNCTION billing_guard_payment();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0012_balance")]

    operations = [migrations.RunSQL(GUARD, UNGUARD)]
