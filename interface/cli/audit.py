"""`admitone audit`: what an auditor asks of the log."""

import click

from interface.cli.audit_report import report


@click.group()
def audit() -> None:
    """What an auditor asks of the log."""


audit.add_command(report)
