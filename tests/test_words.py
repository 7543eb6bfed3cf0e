"""Phrases that readers stumbled over do not come back into the English texts of the product."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PHRASES = (
    *("A start every", "Other hours on some dates", "Empty a row"),
    *("must end after it starts", "Not saved yet", "Must lie in the", "Can be booked with"),
    *("See this link", "Another link ·", "up to and including", "Issue several more"),
    *("One a line", "You get a new link like it", "as long a life", "Choose all active"),
    *("Revoke chosen", "Leave as it is", "call off is kept", "No booking was cancelled"),
    *("No bookings ahead", "Keep the address of this page", "go for ever", "whom you meet"),
    *("Left yourself signed in", "All other browsers are signed out then"),
    *("somebody has to make it for you", "to act for you", "told here", "nobody known"),
    *("as committed to", "before everything", "This can't be looked for", "Signed head"),
    *("Events under it", "Have it confirmed by another way", "tables that follow the log"),
    *("A projector is at work", "What needs you", "The rebuild was asked for"),
    *("rows were not as in the view", "is gone on with", "all its might", "gives way while"),
    *("who tried in vain", "whoever's booking it is", "keep them up"),
)
READ = (
    *("interface/pages/templates/**/*.html", "interface/pages/**/*.py", "interface/cli/*.py"),
    "interface/agents/*.py",
    *("interface/mail/**/*.py", "interface/help/*.md", "interface/api/*", "domain/errors.py"),
    *("README.md", "*/README.md", "interface/deployment/*.md", ".github/*.md"),
)


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """What people read, by file, with each line break as one space."""
    files = {path for pattern in READ for path in ROOT.glob(pattern) if path.is_file()}
    return {
        str(path.relative_to(ROOT)): re.sub(r"\s+", " ", path.read_text()) for path in sorted(files)
    }


@pytest.mark.parametrize("phrase", PHRASES)
def test_no_text_has_the_phrase(texts: dict[str, str], phrase: str) -> None:
    assert len(texts) > 100
    assert [file for file, text in texts.items() if phrase.lower() in text.lower()] == []
