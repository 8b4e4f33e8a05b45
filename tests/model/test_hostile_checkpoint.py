"""Damaged files of weights: tensors, or an error of ours, whatever was cut off or changed."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from camdaemon.errors import CamdaemonError
from camdaemon.matting.bgmv2.weights import load_weights
from camdaemon.model.checkpoint import read_tensors

few = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
TENSORS = {"backbone.a": torch.zeros(4, 3), "refiner.b": torch.ones(2)}


def pickled() -> bytes:
    buffer = io.BytesIO()
    torch.save(TENSORS, buffer)
    return buffer.getvalue()


WHOLE = {".safetensors": save(TENSORS), ".pth": pickled()}
CHANGES = st.lists(st.tuples(st.integers(0, 10**6), st.binary(min_size=1, max_size=8)), max_size=4)


@pytest.mark.parametrize("suffix", sorted(WHOLE))
@given(changes=CHANGES, keep=st.integers(0, 10**6) | st.none(), junk=st.binary(max_size=20))
@few
def test_a_damaged_file_is_tensors_or_an_error_of_ours(
    tmp_path: Path, suffix: str, changes: list[tuple[int, bytes]], keep: int | None, junk: bytes
) -> None:
    data = bytearray(WHOLE[suffix])
    for place, new in changes:
        start = place % len(data)
        data[start : start + len(new)] = new
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(bytes(data[: None if keep is None else keep % len(data)]) + junk)
    with suppress(ValueError):
        assert isinstance(read_tensors(path), dict)
    with suppress(CamdaemonError):
        load_weights(str(path))
