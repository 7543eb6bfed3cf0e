"""Web addresses: one spelling for each, and a reason for those that can't be used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interface.web_address import InvalidAddress, is_ip_address, parse


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("https://book.example.org", "https://book.example.org"),
        ("HTTPS://Book.Example.ORG/", "https://book.example.org"),
        ("https://book.example.org:443", "https://book.example.org"),
        ("https://book.example.org:0443/", "https://book.example.org"),
        ("https://book.example.org:", "https://book.example.org"),
        ("http://book.example.org:80", "http://book.example.org"),
        ("http://book.example.org:443", "http://book.example.org:443"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://BÜCHER.example", "https://xn--bcher-kva.example"),
        ("https://straße.example", "https://xn--strae-oqa.example"),
        ("https://例え.テスト", "https://xn--r8jz45g.xn--zckzah"),
        ("http://192.0.2.7:8000", "http://192.0.2.7:8000"),
        ("http://[2001:DB8:0::1]:8000/", "http://[2001:db8::1]:8000"),
        ("https://[::1]", "https://[::1]"),
        ("http://admit_one:8000", "http://admit_one:8000"),
        ("https://example.org/book/", "https://example.org/book"),
        ("https://example.org/Our/Book-ing~1.0", "https://example.org/Our/Book-ing~1.0"),
    ],
)
def test_each_address_has_one_spelling(text: str, normal: str) -> None:
    assert str(parse(text)) == normal
    assert parse(normal) == parse(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "http:// or https://"),
        ("book.example.org", "http:// or https://"),
        ("ftp://book.example.org", "http:// or https://"),
        ("https:book.example.org", "http:// or https://"),
        ("http://[", "http:// or https://"),
        ("https://[book", "http:// or https://"),
        ("https://", "a host"),
        ("https:///book", "a host"),
        ("https://ada@book.example.org", "a host"),
        ("https://book example.org", "a host"),
        ("https://book..example.org", "a host"),
        ("https://book.example.org.", "a host"),
        ("https://-book.example.org", "a host"),
        ("https://book.example.org\\evil", "a host"),
        ("https://book.example.org?a=b", "a host"),
        ("https://book.example.org\n", "a host"),
        (f"https://{'a' * 64}.example.org", "a host"),
        (f"https://{'a.' * 127}org", "a host"),
        ("https://\u2100.example", "host name"),
        ("https://\ud800.example", "host name"),
        ("https://127.1", "number"),
        ("https://256.0.0.1", "number"),
        ("https://[book]", "IPv6"),
        ("https://[fe80::1%eth0]", "IPv6"),
        ("https://book.example.org:0", "port"),
        ("https://book.example.org:99999", "port"),
        ("https://book.example.org:²", "port"),
        ("https://example.org:443?a=b", "port"),
        ("https://example.org/?a=b", "path"),
        ("https://example.org/#top", "path"),
        ("https://example.org/a//b", "path"),
        ("https://example.org/a/../b", "path"),
        ("https://example.org/%62ook", "path"),
        ("https://example.org/büch", "path"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidAddress, match=reason):
        parse(text)


ODD = st.text(st.sampled_from("htps:/[]@.%?#\\\t\n -_:019azAZéß用\u2100\ud800\u200d"))


@given(st.one_of(ODD, ODD.map("http://{}".format), st.text().map("https://{}".format)))
def test_any_text_has_a_normal_form_or_is_refused(text: str) -> None:
    try:
        address = parse(text)
    except InvalidAddress:
        return
    assert parse(str(address)) == address
    assert str(address).isascii()


def test_an_address_has_an_origin_and_a_host() -> None:
    address = parse("https://Example.org:8443/book")
    assert address.origin == "https://example.org:8443"
    assert address.authority == "example.org:8443"


@pytest.mark.parametrize(("host", "is_ip"), [("[::1]", True), ("127.0.0.1", True), ("a", False)])
def test_ip_addresses_are_told_from_names(host: str, is_ip: bool) -> None:
    assert is_ip_address(parse(f"http://{host}").host) is is_ip
