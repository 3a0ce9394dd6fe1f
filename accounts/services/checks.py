"""A model's own validation, as the domain's typed error."""

from collections.abc import Collection

from django.core.exceptions import ValidationError
from django.db import models

from energy_portal.shared.errors import Invalid, ItemError


def check_fields(obj: models.Model, *, exclude: Collection[str] = ()) -> None:
    """Check the values of an object's fields, but not what only the database can tell, such as uniqueness.

    :raises Invalid: with one item a broken field.
    """
    try:
        obj.clean_fields(exclude=set(exclude))
    except ValidationError as error:
        items = [
            ItemError(single.code or "invalid", message, field=name)
            for name, errors in error.error_dict.items()
            for single in errors
            for message in single.messages
        ]
        raise Invalid(" ".join(f"{item.field}: {item.detail}" for item in items), errors=items) from error
