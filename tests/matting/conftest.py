"""What several tests of mattings need."""

import pytest
import torch

from camdaemon.model.folding import fold_batch_norms
from camdaemon.model.published import BackgroundMattingV2


@pytest.fixture(scope="module")
def network() -> BackgroundMattingV2:
    """Random weights, batch norms folded."""
    torch.manual_seed(5)
    made = BackgroundMattingV2().eval().requires_grad_(False)
    fold_batch_norms(made)
    return made.requires_grad_(False)
