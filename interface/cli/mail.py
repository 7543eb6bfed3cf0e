"""`admitone mail`: checks that mail goes out."""

import sys

import click

from domain.errors import AdmitOneError
from interface.cli import context


class NoMailServer(AdmitOneError):
    """ADMITONE_SMTP_URL is not set: no mail goes out."""


@click.group()
def mail() -> None:
    """Check that mail goes out."""


@mail.command()
@click.argument("address")
def test(address: str) -> None:
    """Send one mail to ADDRESS and print the conversation with the mail server.

    Passwords are hidden. Exit status 1: the mail was not accepted.
    """
    from application.deliveries.channel import Failed, Refused
    from application.people.email_address import InvalidEmailAddress, normalized_email_address
    from interface.bootstrap import utc_now
    from interface.mail.smtp import SmtpConnection
    from interface.mail.trial import trial_mail

    settings = context.settings()
    if settings.smtp_url is None:
        raise NoMailServer
    try:
        recipient = normalized_email_address(address, may_be_local=True)
    except InvalidEmailAddress as error:
        raise AdmitOneError(error.sentence) from error
    connection = SmtpConnection(
        settings.smtp_url,
        settings.public_host,
        ca_file=settings.outgoing_ca_file,
        note=click.echo,
    )
    try:
        connection.send(trial_mail(settings, recipient, now=utc_now()))
    except (Failed, Refused) as error:
        click.echo(f"The mail was not accepted: {error}", err=True)
        sys.exit(1)
    finally:
        connection.close()
    click.echo(f"The mail server has accepted the mail to {recipient}.")
