"""What a test knows to be there, for readers and for mypy."""

from typing import TypeVar

T = TypeVar("T")


def present(value: T | None) -> T:
    """Return `value`; fail where it is None."""
    assert value is not None
    return value
