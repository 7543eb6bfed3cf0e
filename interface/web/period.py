"""The rule for every period that somebody asks for: it must not end before it begins."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from marshmallow import Schema, ValidationError, validates_schema

from domain.errors import Sentence
from interface.web.fields import is_date

REVERSED = Sentence("Must not lie before the start.")


class Period(Schema):
    """A schema with the fields `since` and `until`. Either may be None."""

    @validates_schema(pass_original=True)
    def _must_not_end_before_it_begins(
        self, period: Mapping[str, Any], typed: Mapping[str, Any], **_: Any
    ) -> None:
        since, until = period["since"], period["until"]
        if since is None or until is None:
            return
        name = self.fields["until"].data_key or "until"
        # An end that was typed as a day has become the start of the next one.
        is_day_before = since == until and isinstance(until, datetime) and is_date(typed[name])
        if until < since or is_day_before:
            raise ValidationError([REVERSED], name)
