"""What tests say to the tools, and hear."""

from typing import Any

from mcp import Client
from mcp_types import CallToolResult, TextContent

from tests.support.service import Service


def words(result: CallToolResult) -> str:
    assert result.is_error
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


async def answer(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


def printed(service: Service, *arguments: str) -> str:
    return service.command(*arguments).stdout.strip().splitlines()[-1]
