"""`admitone mcp`: gives an assistant the tools that a key or a link allows."""

import click


@click.command()
@click.option(
    "--url",
    required=True,
    envvar="ADMITONE_MCP_URL",
    help="The address of the service. Also ADMITONE_MCP_URL.",
)
@click.option(
    "--key",
    envvar="ADMITONE_MCP_KEY",
    help="An API key: its scopes decide which tools there are. Better as ADMITONE_MCP_KEY.",
)
@click.option(
    "--link",
    envvar="ADMITONE_MCP_LINK",
    help="Instead of a key: one link. The tools work with this link alone, and with the booking"
    " that they make. Also ADMITONE_MCP_LINK.",
)
@click.option("--read-only", is_flag=True, help="Only tools that change nothing.")
def mcp(url: str, key: str | None, link: str | None, read_only: bool) -> None:
    """Give an assistant tools for booking links (MCP, by stdio).

    It needs no database and no data folder, only the address of a service and a key or a link.
    """
    if (key is None) == (link is None):
        raise click.UsageError("Give either a key or a link.")
    try:  # its packages are there only if they were asked for
        from interface.agents import server
    except ImportError as error:
        raise click.ClickException(
            "This needs packages that are not installed: install the wheel with its extra,"
            " `pipx install --force './admitone-VERSION-py3-none-any.whl[mcp]'`."
        ) from error
    from interface.agents.service_client import Refused, ServiceClient

    try:
        server.run(ServiceClient(url, key), link=link, reads_only=read_only)
    except Refused as refusal:
        raise click.ClickException(str(refusal)) from refusal
