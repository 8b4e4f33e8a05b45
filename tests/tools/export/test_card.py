"""The page beside an export says what is true. Its example runs in `test_export`."""

from __future__ import annotations

import hashlib
from pathlib import Path

from camdaemon.matting.bgmv2.weights import find_weights
from camdaemon.tools.export.export import export
from tests.tools.export.plain import Plain


def test_the_card_says_what_goes_in_and_out(ask):
    request = ask("torch")
    card = export(request, Plain).card.read_text("utf-8")
    checksum = hashlib.sha256(Path(request.weights).read_bytes()).hexdigest()
    for word in (
        checksum,
        "slim.safetensors",
        "RGB",
        "gamma-encoded",
        "0 where nothing is known",
        "144x80",
        "off at most",
    ):
        assert word in card, word
    assert "| `src` | 1x3x144x256 | float32 |" in card
    assert "| `confidence` | 1x1x144x256 | float32 |" in card
    assert "| `refined` | 1x1x36x64 | float32 |" in card
    assert "200 patches of 4x4" in card


def test_a_network_that_believes_its_plate_is_not_said_to_doubt(ask):
    card = export(ask("torchscript", part="base", weights=find_weights("published")), Plain).card.read_text("utf-8")
    assert "confidence" not in card
    assert "legacy" in card
    assert "| `hidden` | 1x32x80x144 | float32 |" in card
