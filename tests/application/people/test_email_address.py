"""E-mail addresses: one person each, that mail can reach, in one spelling."""

from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from application.people.email_address import (
    InvalidEmailAddress,
    normalized_email_address,
    spellings,
)

LISTS_AND_OTHER_TRICKS = (
    *("a@b,c@d.e", "a@@b", "x,y@z", '"<x>"@y', "a@example.org,b@example.org"),
    *("a@example.org;b@example.org", "a@example.org b@example.org", '"a@b"@example.org'),
    *("Ada <ada@example.org>", "<ada@example.org>", "ada@example.org\nBcc: x@example.org"),
    *("ada@[127.0.0.1]", "ada@example.org.", "ada(x)@example.org", "a..b@example.org"),
)
NO_ADDRESSES = (
    *("", "@", "ada", "ada@", "@example.org", "ada.example.org", "ada @example.org"),
    *("ada\0@example.org", "ada@example..org", "ada@-example.org", "\ud800@example.org"),
)
LONGEST = f"{'x' * 60}@{'y' * 60}.{'y' * 60}.{'y' * 60}.{'y' * 6}.org"  # 254 bytes
TOO_LONG = f"x{LONGEST}"
LOCAL = (
    *("ada@localhost", "ada@bar", "ada@nas.local", "ada@nas.home.arpa", "ada@mail.internal"),
    *("ada@a.test", "ada@127.0.0.1"),
)


@pytest.mark.parametrize("text", [*LISTS_AND_OTHER_TRICKS, *NO_ADDRESSES, TOO_LONG])
@pytest.mark.parametrize("may_be_local", [False, True])
def test_what_is_not_exactly_one_address_is_refused(text: str, may_be_local: bool) -> None:
    with pytest.raises(InvalidEmailAddress) as refusal:
        normalized_email_address(text, may_be_local=may_be_local)
    assert refusal.value.sentence == "Enter one e-mail address, such as name@example.org."


@pytest.mark.parametrize("text", LOCAL)
def test_an_address_inside_a_local_network_is_accepted_only_where_it_may_be(text: str) -> None:
    assert normalized_email_address(text, may_be_local=True) == text
    with pytest.raises(InvalidEmailAddress) as refusal:
        normalized_email_address(text)
    assert refusal.value.sentence == (
        "The part after the @ must be a public domain, such as example.org."
    )


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("ada@example.org", "ada@example.org"),
        (" Ada.King+tag@Example.ORG \n", "Ada.King+tag@example.org"),
        ("Info@example.org", "Info@example.org"),
        ("žofie@příklad.cz", "žofie@příklad.cz"),
        ("žofie@PŘÍKLAD.cz", "žofie@příklad.cz"),
        ("zofie@xn--pklad-zsa96e.cz", "zofie@příklad.cz"),
        ("用户@例子.公司", "用户@例子.公司"),
        ("o'neil@sub.example.co.uk", "o'neil@sub.example.co.uk"),
        (LONGEST, LONGEST),
    ],
)
def test_an_address_is_stored_as_typed_with_its_domain_in_one_spelling(
    text: str, stored: str
) -> None:
    assert normalized_email_address(text) == stored


def test_a_search_also_finds_the_spelling_that_is_stored() -> None:
    typed = "zofie@xn--pklad-zsa96e.cz"
    assert spellings(typed) == (typed, "zofie@příklad.cz")
    assert spellings("ada@Example.org") == ("ada@Example.org", "ada@example.org")
    assert spellings("owner@localhost") == ("owner@localhost", "owner@localhost")
    assert spellings("no address") == ("no address", "no address")


PIECES = st.sampled_from([*"@@@.,;:<>()[]\"'\\ \t\n+-_=?", *"aZ1éß用", "example.org", "localhost"])


@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=30), st.booleans())
@example("a@b,c@d.e", True)
def test_whatever_is_accepted_is_one_recipient_and_stays_as_it_is(
    text: str, may_be_local: bool
) -> None:
    try:
        address = normalized_email_address(text, may_be_local=may_be_local)
    except InvalidEmailAddress:
        return
    message = EmailMessage()
    message["To"] = address
    assert [recipient.addr_spec for recipient in message["To"].addresses] == [address]
    assert normalized_email_address(address, may_be_local=may_be_local) == address
    assert len(address.encode()) <= 254
    assert address.isprintable()


LABEL = st.from_regex(r"[a-z0-9]([a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)


@given(
    st.from_regex(r"[A-Za-z0-9_'+-]{1,20}(\.[A-Za-z0-9_'+-]{1,20})?", fullmatch=True),
    st.lists(LABEL, min_size=1, max_size=4).map(".".join),
)
def test_every_plain_address_is_accepted_as_it_is(local: str, domain: str) -> None:
    address = f"{local}@{domain}.example"
    assert normalized_email_address(address) == address
