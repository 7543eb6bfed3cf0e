"""Signed tokens of links, bookings and sign-ins."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from itsdangerous import Signer, TimestampSigner

from application.people.tokens import InvalidToken, Tokens
from tests.support.examples import LINK, OWNER

OLD, NEW, FOREIGN = (name * 32 for name in ("o", "n", "f"))
DAY = timedelta(days=1)
NONCE = UUID("90000000-0000-4000-8000-000000000009")

tokens = Tokens([OLD])
LINK_TOKEN, MANAGE_TOKEN = tokens.for_link(LINK), tokens.for_managing(LINK)

Reader = Callable[[Tokens, str], object]


def read_sign_in(reader: Tokens, token: str) -> tuple[UUID, UUID]:
    return reader.sign_in(token, lifetime=DAY)


READERS: dict[str, Reader] = {
    "link": Tokens.link_id,
    "manage": Tokens.booking_id,
    "sign-in": read_sign_in,
}


def token_of(kind: str, signer: Tokens = tokens) -> str:
    match kind:
        case "link":
            return signer.for_link(LINK)
        case "manage":
            return signer.for_managing(LINK)
        case _:
            return signer.for_sign_in(OWNER, NONCE)


@settings(deadline=None)
@given(st.uuids(), st.uuids())
@example(UUID(int=0), UUID(int=2**128 - 1))
def test_a_token_says_what_was_signed(one: UUID, other: UUID) -> None:
    assert tokens.link_id(tokens.for_link(one)) == one
    assert tokens.booking_id(tokens.for_managing(one)) == one
    assert read_sign_in(tokens, tokens.for_sign_in(one, other)) == (one, other)


def test_the_token_of_a_link_is_always_the_same_so_that_it_can_be_copied_again() -> None:
    assert Tokens([OLD]).for_link(LINK) == LINK_TOKEN


@pytest.mark.parametrize(
    ("kind", "sign", "ids"),
    [
        ("link", tokens.for_link, (LINK,)),
        ("manage", tokens.for_managing, (LINK,)),
        ("feed", tokens.for_feed, (LINK,)),
        ("browser", tokens.for_browser, (OWNER, NONCE)),
    ],
    ids=["link", "manage", "feed", "browser"],
)
def test_tokens_are_signed_as_they_always_were(
    kind: str, sign: Callable[..., str], ids: tuple[UUID, ...]
) -> None:
    signer = Signer(OLD, f"admitone.{kind}", key_derivation="hmac", digest_method=hashlib.sha256)
    carried = b"".join(urlsafe_b64encode(each.bytes).rstrip(b"=") for each in ids)
    assert signer.sign(carried).decode() == sign(*ids)


@pytest.mark.parametrize("kind", READERS)
def test_tokens_fit_into_a_url_as_they_are(kind: str) -> None:
    assert set(token_of(kind)) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    )


@pytest.mark.parametrize("kind", READERS)
def test_after_a_key_change_old_tokens_are_read_and_the_newest_key_signs(kind: str) -> None:
    changed = Tokens([NEW, OLD])
    assert READERS[kind](changed, token_of(kind)) == READERS[kind](tokens, token_of(kind))
    assert READERS[kind](Tokens([NEW]), token_of(kind, changed))
    with pytest.raises(InvalidToken):
        READERS[kind](tokens, token_of(kind, changed))


@pytest.mark.parametrize("kind", READERS)
def test_a_token_signed_with_a_dropped_or_foreign_key_is_refused(kind: str) -> None:
    with pytest.raises(InvalidToken):
        READERS[kind](Tokens([NEW]), token_of(kind))
    with pytest.raises(InvalidToken):
        READERS[kind](tokens, token_of(kind, Tokens([FOREIGN])))


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("other", READERS)
def test_a_token_of_one_kind_is_refused_as_another_kind(kind: str, other: str) -> None:
    if kind == other:
        assert READERS[other](tokens, token_of(kind))
        return
    with pytest.raises(InvalidToken):
        READERS[other](tokens, token_of(kind))


@pytest.mark.parametrize("kind", READERS)
def test_a_token_with_any_one_character_changed_added_or_left_out_is_refused(kind: str) -> None:
    token = token_of(kind)
    for place in range(len(token) + 1):
        forged = {token[:place] + sign + token[place:] for sign in "A-_.=! \n"}
        for sign in "AQgwBCDEFGHIJKLMNOPRSTUVWXYZabcdefhijklmnopqrstuvxyz0123456789-_.= ":
            forged.add(token[:place] + sign + token[place + 1 :])
        forged.add(token[:place] + token[place + 1 :])
        for changed in forged - {token}:
            with pytest.raises(InvalidToken):
                READERS[kind](tokens, changed)


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "=",
        "a",
        str(LINK),
        LINK_TOKEN.partition(".")[0],
        LINK_TOKEN.partition(".")[0] + ".",
        "." + LINK_TOKEN.partition(".")[2],
        LINK_TOKEN * 2,
        "\0",
        "é.ü",
        "\ud800.\udfff",
        "٣" * 43,
        "x" * 100_000,
        "x." * 50_000,
        "." + "_" * 100_000,
    ],
    ids=range(18),
)
def test_a_malformed_token_is_refused(kind: str, token: str) -> None:
    with pytest.raises(InvalidToken):
        READERS[kind](tokens, token)


@settings(deadline=None)
@given(st.text())
def test_any_text_that_we_did_not_sign_is_refused(token: str) -> None:
    for reader in READERS.values():
        with pytest.raises(InvalidToken):
            reader(tokens, token)


def test_a_sign_in_token_ends_with_its_lifetime(monkeypatch: pytest.MonkeyPatch) -> None:
    def set_clock(seconds: float) -> None:
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: 1_800_000_000 + seconds)

    set_clock(0)
    token = token_of("sign-in")
    set_clock(DAY.total_seconds())
    assert read_sign_in(tokens, token) == (OWNER, NONCE)
    set_clock(DAY.total_seconds() + 1)
    with pytest.raises(InvalidToken):
        read_sign_in(tokens, token)
