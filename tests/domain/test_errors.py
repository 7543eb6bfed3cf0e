"""The tree of refusals, and the sentences that people see."""

import re
from collections.abc import Iterator

import pytest

from domain import errors
from domain.errors import AdmitOneError, Invalid, RescheduleLimitReached, Sentence, TooLate
from tests.support.examples import NOW

BRANCH = re.compile(r"(?P<indent>(?:│   |    )*)(?:├── |└── )(?P<name>\w+)")


def drawn_tree() -> dict[str, str]:
    """Each class in the drawing, with the one above it."""
    lines = iter((errors.__doc__ or "").splitlines())
    above = [next(line.strip() for line in lines if line.strip() == AdmitOneError.__name__)]
    parents = {}
    for line in lines:
        if branch := BRANCH.match(line.removeprefix("    ")):
            depth = len(branch["indent"]) // 4 + 1
            parents[branch["name"]] = above[depth - 1]
            above[depth:] = [branch["name"]]
    return parents


def kinds(root: type[AdmitOneError] = AdmitOneError) -> Iterator[type[AdmitOneError]]:
    """The classes of the tree that this module holds, from the root on."""
    yield root
    for kind in root.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield from kinds(kind)


def test_the_tree_in_the_docstring_is_the_real_one() -> None:
    _, *below = kinds()
    assert drawn_tree() == {kind.__name__: kind.__bases__[0].__name__ for kind in below}
    assert all(len(kind.__bases__) == 1 for kind in below)


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind not in (Invalid, TooLate)])
def test_the_docstring_of_a_refusal_is_the_sentence_that_people_see(
    kind: type[AdmitOneError],
) -> None:
    assert kind().detail == str(kind()) == kind.__doc__


@pytest.mark.parametrize("kind", list(kinds()))
def test_a_refusal_is_one_paragraph_of_whole_sentences(kind: type[AdmitOneError]) -> None:
    assert re.fullmatch(r"[A-Z][^\n]*\.", kind.__doc__ or "")


def test_a_better_sentence_can_be_given() -> None:
    assert errors.SlotTaken("Ten o'clock is gone.").detail == "Ten o'clock is gone."


def test_a_change_that_comes_too_late_is_told_until_when_it_was_possible_and_who_can_help() -> None:
    assert TooLate(NOW, contact="Call 555.").detail == (
        "It is too late for this change: it was possible until 2026-11-23T08:00:00Z. Call 555."
    )
    assert RescheduleLimitReached(contact="Call 555.").detail == (
        f"{RescheduleLimitReached.__doc__} Call 555."
    )


def test_invalid_input_is_told_field_by_field() -> None:
    refusal = Invalid({"name": ["Must not be empty."]})
    assert refusal.errors == {"name": ["Must not be empty."]}
    assert refusal.detail == Invalid.__doc__


def test_a_sentence_keeps_its_values_apart_for_translation() -> None:
    sentence = Sentence("Must be between {least} and {most}.", least=1, most=9)
    assert sentence == "Must be between 1 and 9."
    assert sentence.template.format(**sentence.values) == sentence
    assert sentence.values == {"least": 1, "most": 9}
