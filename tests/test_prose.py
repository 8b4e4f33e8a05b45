"""The words of the package and its docs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "camdaemon"
TEXTS = sorted(
    path
    for path in [*PACKAGE.rglob("*"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md"), *(ROOT / "systemd").iterdir()]
    if path.suffix in (".py", ".js", ".html", ".css", ".md", ".service", ".conf")
)
# A private dialect, and the word of the field.
DIALECT = {
    r"\banew\b": "again",
    r"\bmend(s|ed|ing)?\b": "fix",
    r"reckon": "estimate",
    r"plain formulation": "baseline",
    r"beside the show": "concurrently",
    r"\bas wrong\b": "as exc",
}


def find(pattern: str, text: str) -> list[int]:
    """The lines of `text` where `pattern` begins, also where it runs on to the next."""
    return [text.count("\n", 0, found.start()) + 1 for found in re.finditer(pattern.replace(" ", r"\s+"), text, re.I)]


def test_the_search_finds_what_it_should():
    """The test of the test."""
    assert len(TEXTS) > 150
    assert find("plain formulation", "a\nthe Plain\nformulation") == [2]
    assert find(r"\bmend(s|ed|ing)?\b", "it mends; amend, tremendous") == [1]


@pytest.mark.parametrize(("pattern", "better"), list(DIALECT.items()))
def test_the_words_are_those_of_the_field(pattern, better):
    found = [
        f"{path.relative_to(ROOT)}:{line}" for path in TEXTS for line in find(pattern, path.read_text(encoding="utf-8"))
    ]
    assert not found, f"write {better!r}"
