"""The full syntax of e-mail addresses, from a library that takes long to load."""

import email_validator
from email_validator import EmailNotValidError, ValidatedEmail, validate_email

__all__ = ["EmailNotValidError", "parts_of"]

# Domains that exist inside one network only. The library refuses them wherever they occur, and
# offers its list to be changed for that: here, the caller decides.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


def parts_of(address: str) -> ValidatedEmail:
    """Returns the parts of an address. Raises `EmailNotValidError` if it is not one."""
    return validate_email(address, check_deliverability=False, globally_deliverable=False)
