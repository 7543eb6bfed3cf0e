"""`admitone mcp`: gives an assistant the tools that a key or a link allows."""

import signal
import socket

import click
from click.core import ParameterSource

from interface.cli import context

BIND = "127.0.0.1:8765"


@click.command()
@click.option(
    "--url",
    envvar="ADMITONE_MCP_URL",
    help="The address of the service. Also ADMITONE_MCP_URL. Default: ADMITONE_PUBLIC_URL.",
)
@click.option(
    "--key",
    envvar="ADMITONE_KEY",
    help="An API key: its scopes decide which tools there are. Better as ADMITONE_KEY.",
)
@click.option(
    "--link",
    envvar="ADMITONE_MCP_LINK",
    help="Instead of a key: one link. The tools work with this link alone, and with the booking"
    " that they make. Also ADMITONE_MCP_LINK.",
)
@click.option("--read-only", is_flag=True, help="Only tools that change nothing.")
@click.option(
    "--http",
    "is_http",
    is_flag=True,
    help="Serve assistants over HTTP, at /mcp. Each request brings its own API key.",
)
@click.option(
    "--bind",
    "address",
    default=BIND,
    show_default=True,
    help="With --http: on which address and port.",
)
@click.option(
    "--host",
    "hosts",
    multiple=True,
    help="With --http: a name by which clients reach it, such as that of a proxy, with its port if"
    " that is not the usual one. Can be repeated. Requests by other names are refused.",
)
@click.pass_context
def mcp(
    ctx: click.Context,
    url: str | None,
    key: str | None,
    link: str | None,
    read_only: bool,
    is_http: bool,
    address: str,
    hosts: tuple[str, ...],
) -> None:
    """Give assistants tools for booking links (MCP).

    By stdio, or over HTTP with --http. It needs no database and no data folder, only the address of
    a service, and for stdio a key or a link.
    """
    given = {
        name
        for name in ("key", "link")
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    if is_http or given:  # options win over the environment
        key, link = key if "key" in given else None, link if "link" in given else None
    if is_http and (key is not None or link is not None):
        raise click.UsageError("With --http, each request brings its key: give none here.")
    if not is_http and (key is None) == (link is None):
        raise click.UsageError("Give either a key or a link.")
    try:  # its packages are there only if they were asked for
        from interface.agents import http_server, server
    except ImportError as error:
        raise click.ClickException(
            "This needs packages that are not installed: install the wheel with its extra,"
            " `pipx install --force './admitone-VERSION-py3-none-any.whl[mcp]'`."
        ) from error
    from interface.agents.service_client import Refused, ServiceClient

    url = url or context.settings().public_url
    if is_http:
        listener = _listener(address)
        names = _names(listener)
        click.echo(f"Assistants reach the tools at http://{names[0]}{http_server.PATH}.", err=True)
        http_server.run(url, listener, hosts=[*names, *hosts], reads_only=read_only)
        return
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a thread that waits for input ends no sooner
    try:
        server.run(ServiceClient(url, key), link=link, reads_only=read_only)
    except Refused as refusal:
        raise click.ClickException(str(refusal)) from refusal


def _listener(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdecimal():
        raise click.UsageError(f"--bind needs an address and a port, such as {BIND}.")
    try:
        return socket.create_server(
            (host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
    except (OSError, OverflowError) as error:
        raise click.ClickException(f"Can't listen on {address}: {error}.") from error


def _names(listener: socket.socket) -> list[str]:
    """Returns how this machine itself calls the address, with the port."""
    host, port = listener.getsockname()[:2]
    own = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return [own, f"localhost:{port}"]
