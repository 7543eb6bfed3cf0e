"""Reading the people in a pasted list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interface.pages.owner.pasted_recipients import (
    PastedRecipient,
    UnreadableRecipient,
    read_recipient,
    read_recipients,
)

ANN, BOB, CEM = ("Ann Alder", "ann@x.org"), ("Bob Beam", "bob@x.org"), ("Cem Can", "cem@x.org")
NAMES = [("Ann Alder", ""), ("Bob Beam", ""), ("Cem Can", "")]
ADDRESSES = [("", "ann@x.org"), ("", "bob@x.org"), ("", "cem@x.org")]

LISTS = {
    "names, one per line": ("Ann Alder\nBob Beam\nCem Can", NAMES),
    "line breaks of Windows and old Macs": ("Ann Alder\r\nBob Beam\rCem Can\r\n", NAMES),
    "empty lines and space around": ("\n\n  Ann Alder \n\t\n Bob  Beam\nCem Can\n\n", NAMES),
    "names between commas": ("Ann Alder, Bob Beam, Cem Can", NAMES),
    "names between semicolons": ("Ann Alder; Bob Beam; Cem Can;", NAMES),
    "family names first between semicolons": (
        "Alder, Ann; Beam, Bob",
        [("Alder, Ann", ""), ("Beam, Bob", "")],
    ),
    "a name with a comma in quotes": ('"Alder, Ann"\nBob Beam', [("Alder, Ann", ""), NAMES[1]]),
    "bullets": ("- Ann Alder\n• Bob Beam\n* Cem Can", NAMES),
    "numbers": ("1. Ann Alder\n2) Bob Beam\n10. Cem Can", NAMES),
    "addresses, one per line": ("ann@x.org\nbob@x.org\ncem@x.org", ADDRESSES),
    "addresses between commas and semicolons": ("ann@x.org, bob@x.org; cem@x.org", ADDRESSES),
    "addresses between spaces": ("ann@x.org bob@x.org  cem@x.org", ADDRESSES),
    "addresses between commas without space": ("ann@x.org,bob@x.org,cem@x.org,", ADDRESSES),
    "commas and semicolons of full width": ("ann@x.org，bob@x.org；cem@x.org", ADDRESSES),
    "addresses in brackets": ("<ann@x.org>, <bob@x.org>, <cem@x.org>", ADDRESSES),
    "addresses that are links": ("mailto:ann@x.org\nmailto:bob@x.org\ncem@x.org", ADDRESSES),
    "addresses in single quotes": ("'ann@x.org'; 'bob@x.org'; 'cem@x.org'", ADDRESSES),
    "addresses that are their own names": (
        '"ann@x.org" <ann@x.org>, bob@x.org <BOB@x.org>, cem@x.org',
        [("", "ann@x.org"), ("", "BOB@x.org"), ("", "cem@x.org")],
    ),
    "a line of a mail program": ("Ann Alder <ann@x.org>, Bob Beam <bob@x.org>", [ANN, BOB]),
    "a header that is folded": ("To: Ann Alder <ann@x.org>,\n\tBob Beam <bob@x.org>", [ANN, BOB]),
    "a German header": ("An: Ann Alder <ann@x.org>; Bob Beam <bob@x.org>", [ANN, BOB]),
    "family names first, as Outlook writes them": (
        "Alder, Ann <ann@x.org>; Beam, Bob <bob@x.org>",
        [ANN, BOB],
    ),
    "one family name first": ("Alder, Ann <ann@x.org>", [ANN]),
    "names in quotes before addresses": (
        '"Alder, Ann" <ann@x.org>, "Bob ""B"" Beam" <bob@x.org>, "Cem \\"C\\"" <cem@x.org>',
        [("Alder, Ann", "ann@x.org"), ('Bob "B" Beam', "bob@x.org"), ('Cem "C"', "cem@x.org")],
    ),
    "typographic quotes": ("“Ann Alder” <ann@x.org>\n„Bob Beam“ <bob@x.org>", [ANN, BOB]),
    "people without a separator": ("Ann Alder <ann@x.org> Bob Beam <bob@x.org>", [ANN, BOB]),
    "a name alone among people with addresses": (
        "Ann Alder <ann@x.org>, Bob Beam, Cem Can <cem@x.org>",
        [ANN, NAMES[1], CEM],
    ),
    "round brackets": ("Ann Alder (ann@x.org)\nbob@x.org (Bob Beam)", [ANN, BOB]),
    "dashes and colons": ("Ann Alder - ann@x.org\nBob Beam: bob@x.org", [ANN, BOB]),
    "names and addresses in turn": ("Ann Alder, ann@x.org, Bob Beam, bob@x.org", [ANN, BOB]),
    "addresses and names in turn": ("ann@x.org, Ann Alder, bob@x.org, Bob Beam", [ANN, BOB]),
    "rows of a spreadsheet": ("Ann Alder\tann@x.org\tAcme, Inc\nBob\tBeam\tbob@x.org", [ANN, BOB]),
    "rows with the address first": ("ann@x.org\tAnn Alder\nbob@x.org\tBob Beam", [ANN, BOB]),
    "rows with first and last names only": ("Ann\tAlder\nBob\tBeam\nCem\tCan", NAMES),
    "a file with commas": ("Ann,Alder,ann@x.org,Acme\nBob,Beam,bob@x.org,", [ANN, BOB]),
    "a file with semicolons": ("Ann Alder;ann@x.org\nBob Beam;bob@x.org", [ANN, BOB]),
    "a line break in a cell": ('"Ann\nAlder",ann@x.org\n"Bob\r\nBeam",bob@x.org', [ANN, BOB]),
    "an apostrophe": ("Ann O'Brien <o'brien@x.org>", [("Ann O'Brien", "o'brien@x.org")]),
    "a byte order mark and invisible characters": (
        "\ufeffann@x.org\u200b\n\u202abob@x.org\u202c\ncem\u00ad@x.org",
        ADDRESSES,
    ),
    "spaces that don't break": ("Ann\u00a0Alder\u2003<ann@x.org>", [ANN]),
    "letters of other scripts": (
        "Çağla Öz <c@x.org>\n佐藤 花子、<h@x.org>\nمی\u200cخواهم",
        [("Çağla Öz", "c@x.org"), ("佐藤 花子", "h@x.org"), ("می\u200cخواهم", "")],
    ),
    "nothing": (" \n,;\t\n-\n", []),
    "quotes that never end": ('"Ann Alder\nBob Beam', NAMES[:2]),
    "a social name is a name": ("@ann\nBob @ Acme", [("@ann", ""), ("Bob @ Acme", "")]),
}

WITH_TITLES = {
    "one column": "E-Mail\nann@x.org\nbob@x.org",
    "names": "Name\nann@x.org\nbob@x.org",
    "address and company": "Email,Company\nann@x.org,Acme\nbob@x.org,Beam; Sons",
    "German, with semicolons": "E-Mail-Adresse;Ort\nann@x.org;Bern\nbob@x.org;Wien",
    "quoted titles": '"Email address","Phone"\n"ann@x.org","1"\n"bob@x.org","2"',
    "an address book": "E-mail 1 - Label,E-mail 1 - Value\nWork,ann@x.org\nHome,bob@x.org",
}


@pytest.mark.parametrize("case", LISTS)
def test_the_people_in_a_list_are_found(case: str) -> None:
    text, people = LISTS[case]
    assert [(each.name, each.email) for each in read_recipients(text).people] == people


@pytest.mark.parametrize("case", WITH_TITLES)
def test_titles_of_columns_are_left_out(case: str) -> None:
    found = read_recipients(WITH_TITLES[case])
    assert (found.headers, found.repeated) == (1, 0)
    assert [each.email for each in found.people] == ["ann@x.org", "bob@x.org"]


def test_titles_say_which_columns_make_a_name() -> None:
    text = "Nachname\tVorname\tFirma\tE-Mail\nAlder\tAnn\tAcme\tann@x.org\n\t\tAcme\tbob@x.org\n"
    found = read_recipients(text + "Can\tCem\tAcme\t")
    assert [(each.name, each.email) for each in found.people] == [
        ANN, ("", "bob@x.org"), ("Cem Can", "")
    ]  # fmt: skip


def test_whoever_comes_again_is_left_out() -> None:
    found = read_recipients("Ann <ann@x.org>\nANN@X.org\nBob\nbob\nBob <bob@x.org>")
    assert list(map(str, found.people)) == ["Ann <ann@x.org>", "Bob", "Bob <bob@x.org>"]
    assert found.repeated == 2


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Ann\n\nBob <bob@>", 3),
        ('"Ann\nAlder"\nann@x', 3),
        ("ann@x.org, bob@@x.org", 1),
        ("ann@localhost", 1),
        ("x" * 201, 1),
    ],
)
def test_a_line_that_can_t_be_used_is_named(text: str, line: int) -> None:
    with pytest.raises(UnreadableRecipient) as refusal:
        read_recipients(text)
    assert refusal.value.line == line


def test_one_recipient_may_have_any_name() -> None:
    assert read_recipient("Ann Alder <ann@x.org>") == PastedRecipient(*ANN)
    for text in ("Ann, Bob", "the plumber", "ann@", "Ann; Bob"):
        assert read_recipient(text) == PastedRecipient(text, "")


@given(
    st.lists(
        st.sampled_from(
            [
                "Ann",
                "Alder",
                "ann@x.org",
                "<b@y.org>",
                "- ",
                "1. ",
                "To: ",
                *",;\t\n\" ()<>\\:@'é\u200d",
            ]
        ),
        max_size=14,
    ).map("".join)
)
def test_what_was_understood_is_understood_the_same_again(text: str) -> None:
    try:
        found = read_recipients(text)
    except UnreadableRecipient:
        return
    assert read_recipients(str(found)).people == found.people
