"""`admitone deliveries`: sends, lists and retries what events cause."""

from uuid import UUID

import click

from application.deliveries.delivery import DeliveryState
from interface.cli import context

MOST_LISTED = 200


@click.group()
def deliveries() -> None:
    """Send, list and retry mails and messages to webhooks."""


@deliveries.command()
def run() -> None:
    """Send due mails and messages until stopped, and delete old ones every hour.

    `admitone serve` does this by itself. More of these processes, here or on other hosts, share
    the work.
    """
    from interface.runtime import delivery_process
    from interface.runtime.environment import withdraw_secrets

    settings = context.settings()
    withdraw_secrets()
    delivery_process.run(settings)


@deliveries.command("list")
@click.option(
    "--status",
    "state",
    type=click.Choice([state.value for state in DeliveryState]),
    help="Only those in this state.",
)
@click.option("--booking", "booking_id", type=click.UUID, help="Only those about this booking.")
def list_deliveries(state: str | None, booking_id: UUID | None) -> None:
    """List the newest 200 deliveries: id, time, state, attempts, what for whom, last answer."""
    with context.services() as services:
        for each in services.deliveries.newest(
            limit=MOST_LISTED, booking_id=booking_id, state=DeliveryState(state) if state else None
        ):
            click.echo(
                f"{each.id}  {each.due_at:%Y-%m-%d %H:%M} UTC  {each.state}  {each.attempts}"
                f"  {each.channel} {each.kind} to {each.audience}  {each.answer or '-'}"
            )


@deliveries.command()
@click.argument("delivery_id", type=click.UUID)
def retry(delivery_id: UUID) -> None:
    """Try a delivery again now that was given up or waits for its next attempt."""
    with context.services() as services:
        services.deliveries.retry(delivery_id, now=services.now())
    click.echo(f"Delivery {delivery_id} is tried again.")
