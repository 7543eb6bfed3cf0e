"""`python -m tests.interface.agents.transcript`: records the conversation that the manual shows.

The protocol's own client talks to the tools of a running service: an owner's assistant issues a
link, and an invitee's books with it. Names are always the same. Ids, tokens, addresses and dates
are replaced, and answers are shortened to what the reader needs.
"""

import json
import re
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from mcp import Client
from mcp_types import TextContent

from application.people.roles import ALL_SCOPES
from interface.agents.server import Access, server_of
from interface.agents.service_client import ServiceClient
from interface.agents.tools import tools_for
from tests.support.service import Service, running_service

MANUAL = Path(__file__).parents[3] / "interface/README.md"
BLOCK = re.compile(r"(?<=<!-- a recorded conversation -->\n```\n).*?(?=```\n)", re.S)

DAY_SHOWN = "2027-01-18"  # a Monday
SHOWN = {
    "issue_link": ("url", "recipient", "status"),
    "describe_link": ("status", "calendar", "host"),
    "times_of_link": ("slots",),
    "book": ("start", "end", "manage_url"),
}
PARTS_SHOWN = {"calendar": ("name", "duration_minutes"), "host": ("name",)}
ADA = {"name": "Ada Lovelace", "email": "ada@example.org"}


def recorded(service: Service) -> str:
    """Returns the conversation with a new link, as the manual shows it."""
    calendar_id = service.new_calendar(name="Intro call")
    # Nothing else is booked so far ahead, and it is within the 60 days that can be booked.
    today = datetime.now(UTC).date()
    day = today + timedelta(days=49 - today.weekday())
    lines: list[str] = []

    async def converse() -> None:
        async with Client(_server(service)) as owner:
            given = {"calendar_id": calendar_id, "recipient": "Ada, second interview"}
            link = await _call(owner, lines, "issue_link", given)
        async with Client(_server(service, link["url"])) as invitee:
            await _call(invitee, lines, "describe_link", {})
            days = {"first_day": str(day), "last_day": str(day)}
            first, second = (await _call(invitee, lines, "times_of_link", days))["slots"][:2]
            await _call(invitee, lines, "book", {"start": first["start"], **ADA})
            await _call(invitee, lines, "book", {"start": second["start"], **ADA})

    anyio.run(converse)
    return _with_fixed_values("\n".join([*lines, ""]), service.url, calendar_id, day)


def _server(service: Service, link: str | None = None) -> Any:
    access = Access(
        ServiceClient(service.url, None if link else service.key),
        tools_for(ALL_SCOPES, link=link, reads_only=False),
    )
    return server_of(lambda _: access)


async def _call(client: Client, lines: list[str], tool: str, arguments: dict[str, Any]) -> Any:
    lines.append(f"→ {tool} {_json(arguments)}")
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        lines.extend(f"← {part.text}" for part in result.content if isinstance(part, TextContent))
    else:
        lines.append(f"← {_shortened(result.structured_content, SHOWN[tool])}")
    return result.structured_content


def _shortened(found: Any, names: tuple[str, ...]) -> str:
    shown = ", ".join(f"{_json(name)}: {_value(name, found[name])}" for name in names)
    return f"{{{shown}, …}}" if len(found) > len(names) else f"{{{shown}}}"


def _value(name: str, value: Any) -> str:
    if isinstance(value, list):
        return f"[{_json(value[0])}, …]" if len(value) > 1 else _json(value)
    return _shortened(value, PARTS_SHOWN[name]) if name in PARTS_SHOWN else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _with_fixed_values(text: str, url: str, calendar_id: str, day: date) -> str:
    """Replaces what is different each time by what the manual shows instead."""
    text = text.replace(url, "https://book.example.org").replace(calendar_id, "…")
    text = re.sub(r"(?<=/[bm]/)[\w.-]+", "…", text)
    return text.replace(str(day), DAY_SHOWN)


def main() -> None:
    """Records the conversation with a service of its own, and writes it into the manual."""
    with TemporaryDirectory() as folder, running_service(Path(folder), None) as service:
        conversation = recorded(service)
    MANUAL.write_text(BLOCK.sub(lambda _: conversation, MANUAL.read_text()))
    sys.stdout.write(conversation)


if __name__ == "__main__":
    main()
