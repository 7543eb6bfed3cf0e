"""What is written past marshmallow says what marshmallow would have said."""

from datetime import UTC, datetime, timedelta

from domain.slot import Slot
from interface.web.invitee_response_schemas import SlotOutput, SlotsOutput


def test_slots_are_written_as_their_schema_says() -> None:
    start = datetime(2027, 1, 18, 9, tzinfo=UTC)
    slots = [
        Slot(start + n * timedelta(minutes=30), start + timedelta(hours=n + 1)) for n in (0, 1)
    ]
    written = SlotsOutput().dump({"slots": slots, "next_from": None})
    assert written == {"slots": SlotOutput(many=True).dump(slots), "next_from": None}
