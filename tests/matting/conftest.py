"""What several tests of mattings need."""

import pytest
import torch

from camdaemon.model import BackgroundMattingV2, fold_batch_norms


@pytest.fixture(scope="module")
def network() -> BackgroundMattingV2:
    """Random weights, batch norms folded."""
    torch.manual_seed(5)
    made = BackgroundMattingV2().eval().requires_grad_(False)
    fold_batch_norms(made)
    return made.requires_grad_(False)
