"""What the tests of hostile input share: how many examples, and files that were damaged."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# The same examples in every run, however long a busy machine takes for them.
few = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def damaged(whole: bytes) -> st.SearchStrategy[bytes]:
    """The file `whole` with some bytes changed, cut off somewhere, and with others after its end."""
    changes = st.lists(st.tuples(st.integers(0, 10**6), st.binary(min_size=1, max_size=8)), max_size=4)
    return st.builds(_damage, st.just(whole), changes, st.integers(0, 10**6) | st.none(), st.binary(max_size=20))


def _damage(whole: bytes, changes: list[tuple[int, bytes]], keep: int | None, junk: bytes) -> bytes:
    data = bytearray(whole)
    for place, new in changes:
        start = place % len(data)
        data[start : start + len(new)] = new
    return bytes(data[: None if keep is None else keep % len(data)]) + junk
