"""Damaged files of weights: tensors, or an error of ours, whatever was cut off or changed."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from camdaemon.errors import CamdaemonError
from camdaemon.matting.bgmv2.weights import load_weights
from camdaemon.model.checkpoint import read_tensors
from tests.hostile import damaged, few

TENSORS = {"backbone.a": torch.zeros(4, 3), "refiner.b": torch.ones(2)}


def pickled() -> bytes:
    buffer = io.BytesIO()
    torch.save(TENSORS, buffer)
    return buffer.getvalue()


WHOLE = {".safetensors": save(TENSORS), ".pth": pickled()}


@pytest.mark.parametrize("suffix", sorted(WHOLE))
@given(st.data())
@few
def test_a_damaged_file_is_tensors_or_an_error_of_ours(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(data.draw(damaged(WHOLE[suffix])))
    with suppress(ValueError):
        assert isinstance(read_tensors(path), dict)
    with suppress(CamdaemonError):
        load_weights(str(path))
