"""IP addresses, in one form each."""

import pytest

from interface.ip_address import is_loopback


@pytest.mark.parametrize("text", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_recognised_in_every_spelling(text: str) -> None:
    assert is_loopback(text)


@pytest.mark.parametrize(
    "text", ["", "localhost", "192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "127.0.0.1:80"]
)
def test_other_addresses_and_other_texts_are_not_this_machine(text: str) -> None:
    assert not is_loopback(text)
