"""Webhooks: programs of owners that are told of events, by the Standard Webhooks specification."""
