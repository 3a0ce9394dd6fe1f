"""What a reviewer fills in."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.http import QueryDict

LONGEST_NOTE = 1_000
_NEEDS_NOTE = {
    "reject": "Say why: the agent and whoever looks at it later read it.",
    "return": "Say what to mend: the agent reads it.",
}


class DecisionForm(forms.Form):
    """A verdict's note, the value as the reviewer reads it, and the level that the page showed."""

    value = forms.DecimalField(required=False, min_value=Decimal(0), max_digits=15, decimal_places=6)
    notes = forms.CharField(required=False, max_length=LONGEST_NOTE)
    level = forms.IntegerField(min_value=1, max_value=2)

    def __init__(self, data: Any = None, *, verdict: str = "approve") -> None:
        super().__init__(data)
        self.verdict = verdict

    def clean_notes(self) -> str:
        """Want a reason for whatever is not approved."""
        notes: str = self.cleaned_data["notes"]
        if not notes and self.verdict in _NEEDS_NOTE:
            raise forms.ValidationError(_NEEDS_NOTE[self.verdict], code="no_reason")
        return notes


def chosen_ids(sent: QueryDict) -> list[UUID]:
    """Return the requests that were ticked; what is no id is left out."""
    found = []
    for text in sent.getlist("ids"):
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found
