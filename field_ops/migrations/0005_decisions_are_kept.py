"""Decisions are kept for good: the database itself refuses to change, delete or empty them.

Only what empties the whole portal on purpose, which says so by ``portal.emptying`` in its transaction, may truncate.
"""

from django.db import migrations

GUARD = """
CREATE FUNCTION field_ops_keep_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' AND current_setting('portal.emptying', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'decisions are kept as they were made' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER field_ops_keep_decision BEFORE UPDATE OR DELETE ON field_ops_decision
    FOR EACH ROW EXECUTE FUNCTION field_ops_keep_decision();
CREATE TRIGGER field_ops_keep_decisions BEFORE TRUNCATE ON field_ops_decision
    FOR EACH STATEMENT EXECUTE FUNCTION field_ops_keep_decision();
"""

UNGUARD = """
DROP TRIGGER field_ops_keep_decisions ON field_ops_decision;
DROP TRIGGER field_ops_keep_decision ON field_ops_decision;
DROP FUNCTION field_ops_keep_decision();
"""


class Migration(migrations.Migration):
    dependencies = [("field_ops", "0004_photos_without_detail")]

    operations = [migrations.RunSQL(GUARD, UNGUARD)]
