"""Pieces of alpha that stand still, loose or in an upper corner, are no person; what moves is, and so is the person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from camdaemon.frames import pixels
from camdaemon.frames.pixels import Array
from camdaemon.plate.pieces import StillPieces, close_margins, hide, restrain
from camdaemon.plate.pose import warp_blocks
from camdaemon.plate.survey import Survey
from tests.kinds import EITHER, copied, same

ROWS, COLUMNS, FPS = 18, 32, 10
PERSON = (slice(6, 18), slice(12, 20))
LOOSE, CORNER, HAND = (slice(8, 12), slice(25, 28)), (slice(0, 3), slice(0, 4)), (slice(3, 6), slice(22, 24))
TEXTURE = np.random.default_rng(0).uniform(0.2, 0.8, (ROWS, COLUMNS, 3)).astype(np.float32)


def survey(
    t: float, *pieces: tuple[slice, slice], moving: tuple[tuple[slice, slice], ...] = (PERSON,), gain: float = 1
):
    """A frame with visible alpha in `pieces`; noise everywhere, and movement in some of them."""
    random = np.random.default_rng(round(1000 * t))
    now = TEXTURE + random.normal(0, 0.002, TEXTURE.shape).astype(np.float32)
    room = np.ones((ROWS, COLUMNS), bool)
    for piece in pieces:
        room[piece] = False
        if piece in moving:
            now[piece] += random.uniform(-0.1, 0.1)
    return Survey(now * gain, now, room, room, ~room, np.full(3, gain, np.float32), 8)


def play(pieces: StillPieces, seconds: float, *shown, start: float = 0.0, **how) -> np.ndarray | None:
    """Show pieces for some seconds; return what is hidden of the last frame."""
    found = None
    for n in range(round(seconds * FPS) + 1):
        found = pieces.find(survey(start + n / FPS, *shown, **how), start + n / FPS)
    return found


@pytest.mark.parametrize("piece", [LOOSE, CORNER], ids=["loose", "corner"])
def test_what_stands_still_for_three_seconds_is_hidden_with_its_rim(piece: tuple[slice, slice]) -> None:
    assert play(StillPieces(), 2.9, PERSON, piece) is None
    found = play(StillPieces(), 3.1, PERSON, piece)
    assert found is not None
    assert found[piece].all()
    assert not found[PERSON].any()
    assert found.sum() > found[piece].size, "and the blocks around it"


def test_what_moves_stays_however_long() -> None:
    assert play(StillPieces(), 6, PERSON, HAND, CORNER, moving=(PERSON, HAND, CORNER)) is None


def test_a_person_who_sits_still_stays() -> None:
    assert play(StillPieces(), 8, PERSON, moving=()) is None


def test_a_raised_hand_that_is_joined_to_the_person_stays() -> None:
    arm = (slice(2, 8), slice(19, 21))
    assert play(StillPieces(), 8, PERSON, arm, moving=()) is None


def test_a_hidden_piece_comes_back_when_it_moves_and_needs_three_seconds_again() -> None:
    pieces = StillPieces()
    assert play(pieces, 4, PERSON, LOOSE) is not None
    assert play(pieces, 0.3, PERSON, LOOSE, start=4.1, moving=(PERSON, LOOSE)) is None
    assert play(pieces, 2.5, PERSON, LOOSE, start=4.5) is None
    assert play(pieces, 1.5, PERSON, LOOSE, start=7.1) is not None


def test_light_that_changes_is_no_movement() -> None:
    pieces, found = StillPieces(), None
    for n in range(45):
        found = pieces.find(survey(n / FPS, PERSON, LOOSE, gain=1 - 0.005 * n), n / FPS)
    assert found is not None


@pytest.mark.parametrize("then", [0.0, 60.0])
def test_time_that_nobody_watched_does_not_count(then: float) -> None:
    """The camera was closed meanwhile, or a clip has begun again."""
    pieces = StillPieces()
    play(pieces, 2.5, PERSON, LOOSE)
    assert play(pieces, 2.5, PERSON, LOOSE, start=then) is None


def test_a_piece_that_touches_the_person_is_never_cut_in_two() -> None:
    chair = (slice(10, 18), slice(20, 26))
    assert play(StillPieces(), 5, PERSON, chair) is None


@EITHER
def test_hidden_blocks_are_exactly_zero_up_to_the_edge_of_odd_pictures(of: Callable[[Array], Any]) -> None:
    alpha = of(torch.ones(1, 1, 20, 37))
    before, whole = copied(alpha), alpha.max()
    blocks = np.zeros((2, 4), bool)
    blocks[1, 3] = True
    found = hide(alpha, blocks, 8)
    assert found.dtype == alpha.dtype
    assert pixels.is_beside(found, alpha)
    assert found[..., 8:, 24:].max() == 0
    assert found.sum() == alpha.sum() - 12 * 13 * int(whole)
    assert same(alpha, before), "the matting's own alpha is not changed"


@EITHER
@pytest.mark.parametrize("by", [(8, 0), (-8, 0), (0, 8), (0, -8), (4, -3)])
def test_a_margin_that_the_moved_plate_does_not_know_shows_only_who_reaches_into_it(
    by: tuple[int, int], of: Callable[[Array], Any]
) -> None:
    alpha = of(torch.ones(1, 1, 40, 64))
    before = copied(alpha)
    inside = warp_blocks(np.ones((10, 16), bool), np.array([[1, 0, by[0]], [0, 1, by[1]], [0, 0, 1]]), (40, 64), 4)
    inner = torch.from_numpy(inside.repeat(4, 0).repeat(4, 1))[None, None].float()
    assert same(close_margins(alpha, inside, 4), alpha), "someone is at the inner edge everywhere"
    margin = of(1 - inner)
    assert margin.max() > 0, "the test of the test"
    assert close_margins(margin, inside, 4).max() == 0, "only the margin is called person"
    assert close_margins(alpha, np.ones((10, 16), bool), 4) is alpha
    assert same(alpha, before)
    assert same(margin, of(1 - inner)), "what comes in is not changed"


@EITHER
def test_where_nothing_is_known_what_is_less_than_half_a_person_is_none(of: Callable[[Array], Any]) -> None:
    levels = torch.tensor([0.0, 0.2, 0.4, 0.6, 0.8, 1.0]).repeat_interleave(8)
    alpha = of(levels.expand(1, 1, 20, 48).contiguous())
    known = np.ones((1, 1, 2, 6), np.float32)
    known[:, :, 1] = 0
    found: Any = restrain(alpha, pixels.to_kind_of(alpha, known), 8)
    assert found.dtype == alpha.dtype
    assert same(found[..., :8, :], alpha[..., :8, :]), "known"
    least, half, most = found[..., 8:, :16].max(), found[..., 8:, 16:24], found[..., 8:, 24:]
    assert least == 0
    assert (half < alpha[..., 8:, 16:24]).all()
    assert (half > 0).all()
    assert same(most, alpha[..., 8:, 24:])
    assert restrain(alpha, None, 8) is alpha


@pytest.mark.parametrize("of", [np.asarray, torch.from_numpy])
def test_what_is_no_number_is_not_restrained_to_one(of: Callable[[Any], Array]) -> None:
    """The check before publishing looks for it."""
    alpha = of(np.full((1, 1, 16, 16), np.nan, np.float32))
    found = restrain(alpha, pixels.to_kind_of(alpha, np.zeros((1, 1, 2, 2), np.float32)), 8)
    assert np.isnan(pixels.to_host(found)).all()
