"""The plate is taken only of a still and well-lit room; in bytes and floats."""

import re

import numpy as np
import pytest
import torch

from camdaemon.errors import PlateRefused
from camdaemon.frames import pixels
from camdaemon.frames.card import Card
from camdaemon.frames.job import JobFrame
from camdaemon.frames.pixels import Array
from camdaemon.plate.parts import Plate
from camdaemon.plate.take import PlateJob, PlateRules
from tests.kinds import copied, floats
from tests.plate.rooms import HEIGHT, WIDTH, noisy, room, seen

FPS = 30
RULES = PlateRules(frames=9, still_s=0.3, timeout_s=1.2)
PLACES = {
    "top left": (slice(0, 30), slice(0, 45)),
    "top right": (slice(0, 30), slice(115, 160)),
    "bottom left": (slice(66, 96), slice(0, 45)),
    "bottom right": (slice(66, 96), slice(115, 160)),
    "middle center": (slice(36, 60), slice(64, 96)),
}


pytestmark = pytest.mark.usefixtures("one_thread", "kind")


def run(job: PlateJob, frame_at, seconds: float = 10.0, start: float = 1000.0) -> tuple[Plate, float]:
    """Feed frames at FPS, made by `frame_at(second, n)`; the plate and the second it came."""
    for n in range(int(seconds * FPS)):
        t = n / FPS
        plate = job.feed(JobFrame(n, start + t, seen(frame_at(t, n)), None, None))
        if plate is not None:
            return plate, t
    raise AssertionError("neither a plate nor a refusal")


def refusal(frame_at, countdown: float = 0.0) -> str:
    job = PlateJob(RULES, countdown)
    with pytest.raises(PlateRefused) as why:
        run(job, frame_at)
    return str(why.value)


def error(rgb: np.ndarray, truth: torch.Tensor) -> float:
    """Root of the mean squared difference, in levels of 255."""
    return float((torch.from_numpy(rgb).permute(2, 0, 1) / 255 - truth[0]).square().mean().sqrt() * 255)


def test_the_median_of_noisy_frames_is_closer_to_the_room_than_any_frame():
    truth = room()
    plate, t = run(PlateJob(RULES, 0.0), lambda t, n: noisy(truth, n))
    assert plate.rgb.shape == (HEIGHT, WIDTH, 3)
    assert plate.rgb.dtype == np.uint8
    one = pixels.interleave(pixels.as_bytes(noisy(truth, 0)))
    assert error(plate.rgb, truth) < 0.55 * error(one, truth)
    assert error(plate.rgb, truth) < 3
    mean = float((torch.from_numpy(plate.rgb).float().mean() / 255 - truth.mean()).abs())
    assert mean < 0.5 / 255, "the plate must not be darker or brighter than the room"
    assert RULES.still_s <= t < 1.0


def test_a_frame_that_was_only_borrowed_is_not_kept():
    """The worker uses its memory again for the next frame."""
    shared, truth = copied(seen(room())), room()

    def overwritten(t, n):
        shared[:] = noisy(truth, n)
        return shared

    plate, _ = run(PlateJob(RULES, 0.0), overwritten)
    assert error(plate.rgb, truth) < 3


@pytest.mark.parametrize("place", PLACES)
def test_movement_is_named_by_its_place(place):
    rows, columns = PLACES[place]

    def waving(t, n):
        """A hand that rests for a frame or two now and then, as hands do."""
        picture = room()
        picture[:, :, rows, columns] *= 0.5 if n % 6 < 3 else 1.4
        return noisy(picture, n)

    said = refusal(waving)
    assert re.search(f"moves.* {place}", said)
    assert said.endswith("camdaemon plate --countdown 5")


@pytest.mark.parametrize("rests", [1, 2, 3])
def test_the_reason_is_told_even_when_the_movement_rests_in_the_very_last_frame(rests):
    """Whoever is refused must hear why, whichever frame the time ran out in."""
    last = int(RULES.timeout_s * FPS) + 1

    def waving(t, n):
        picture = room()
        rows, columns = PLACES["top left"]
        picture[:, :, rows, columns] *= 0.5 if n % 2 and n <= last - rests else 1.4
        return noisy(picture, n)

    assert re.search("moves.* top left", refusal(waving))


def test_a_person_who_never_leaves_is_not_photographed():
    def walking(t, n):
        picture, x = room(), int(50 + 40 * np.sin(3 * t))
        picture[:, :, 20:, x : x + 40] = 0.15
        return noisy(picture, n)

    assert "moves" in refusal(walking)


def test_a_leaf_may_tremble():
    """One block of 60 is over the allowed share here, a corner of one block is not."""

    def trembling(t, n):
        picture = room()
        picture[:, :, 20:22, 20:24] *= 0.6 if n % 2 else 1.0
        return noisy(picture, n)

    plate, t = run(PlateJob(RULES, 0.0), trembling)
    assert t < 1.0, "it need not wait for the leaf"
    assert error(plate.rgb, room()) < 3


@pytest.mark.parametrize(
    ("frame_at", "why"),
    [
        (lambda t, n: noisy(torch.full((1, 3, HEIGHT, WIDTH), 0.02), n, 2 / 255), "black"),
        (lambda t, n: torch.ones(1, 3, HEIGHT, WIDTH), "white"),
        (lambda t, n: torch.cat((room()[..., :80], torch.ones(1, 3, HEIGHT, 80)), 3), "white"),
        (lambda t, n: noisy(room() * (0.6 + 0.2 * t), n), "changing"),
    ],
    ids=["black", "white", "half-white", "sunrise"],
)
def test_a_room_in_bad_light_is_refused_with_the_reason(frame_at, why):
    said = refusal(frame_at)
    assert why in said
    assert said.endswith("camdaemon plate --countdown 5")


def test_a_bright_window_is_no_reason_to_refuse():
    truth = room()
    truth[:, :, 10:60, 20:70] = 1.0
    plate, _ = run(PlateJob(RULES, 0.0), lambda t, n: noisy(truth, n, 1 / 255))
    assert error(plate.rgb, truth) < 1
    assert plate.rgb[12:58, 22:68].min() >= 253, "the window is in it, white"


def test_nothing_is_photographed_during_the_countdown():
    """Somebody stands there for the countdown and is gone after it."""

    def leaving(t, n):
        picture = room()
        if t < 1.0:
            picture[:, :, 20:, 50:100] = 0.1
        return noisy(picture, n)

    plate, t = run(PlateJob(RULES, 1.0), leaving)
    assert t >= 1.0 + RULES.still_s
    assert error(plate.rgb, room()) < 3


def test_the_time_to_wait_begins_after_the_countdown():
    job, walking = PlateJob(RULES, 3.0), lambda t, n: noisy(room() * (1.0 if n % 2 else 0.8), n)
    for n in range(int((3.0 + RULES.timeout_s) * FPS)):
        assert job.feed(JobFrame(n, 50 + n / FPS, walking(0, n), None, None)) is None
    with pytest.raises(PlateRefused):
        run(job, walking, start=50 + 3.0 + RULES.timeout_s)


@pytest.mark.parametrize("countdown", [1.0, 3.0, 5.0, 2.5])
def test_the_card_counts_from_what_was_asked_for_down_to_one(countdown):
    job, shown = PlateJob(RULES, countdown), []
    for n in range(int(countdown * FPS) + 2):
        shown.append(job.card().big)
        job.feed(JobFrame(n, 7.0 + n / FPS, seen(room()), None, None))
    counts = [each for i, each in enumerate(shown) if i == 0 or each != shown[i - 1]]
    first = int(np.ceil(countdown))
    assert counts == [str(each) for each in range(first, 0, -1)] + [""]


def test_after_the_countdown_the_card_tells_to_stay_out_and_why():
    job = PlateJob(RULES, 0.0)
    assert isinstance(job.card(), Card)
    for n in range(4):
        picture = room()
        picture[:, :, PLACES["top left"][0], PLACES["top left"][1]] *= 0.5 + 0.3 * (n % 2)
        job.feed(JobFrame(n, n / FPS, seen(picture), None, None))
    assert "out of the picture" in job.card().hint
    assert re.search("moves.* top left", job.card().reason), "for the user, not for viewers"
    assert re.search("moves.* top left", job.progress.waits_for)
    assert job.card().big == ""


def test_somebody_who_crosses_briefly_restarts_the_waiting_and_is_not_in_the_plate():
    def crossing(t, n):
        picture = room()
        if 0.4 <= t < 0.6:
            x = int((t - 0.4) / 0.2 * 120)
            picture[:, :, 20:, x : x + 40] = 0.1
        return noisy(picture, n)

    plate, t = run(PlateJob(RULES, 0.0), crossing)
    assert t >= 0.6 + RULES.still_s
    assert error(plate.rgb, room()) < 3


def test_somebody_who_sat_still_and_leaves_at_last_is_not_in_the_plate():
    """Six of the nine frames were already taken, with them in it."""

    def leaving(t, n):
        picture = room()
        if t < 0.49:
            picture[:, :, 20:, 50:100] = 0.1
        return noisy(picture, n)

    plate, _ = run(PlateJob(RULES, 0.0), leaving)
    assert error(plate.rgb, room()) < 3


def test_a_plate_of_a_larger_picture_is_whole():
    """The median works in strips of 64 rows."""
    job, truth = PlateJob(PlateRules(frames=3, still_s=0.1, timeout_s=1.0), 0.0), torch.rand(1, 3, 132, 68)
    plate, _ = run(job, lambda t, n: truth)
    assert np.abs(plate.rgb.astype(int) - (truth[0] * 255).permute(1, 2, 0).numpy()).max() <= 1


def person_seen(where: slice | None):
    """A network that sees somebody there, whatever it is shown, also in the mirror."""

    def matte_alone(picture: Array) -> Array:
        alpha = torch.zeros(1, 1, HEIGHT, WIDTH)
        if where is not None:
            given = floats(picture)
            now, mirrored = ((part - room()).abs().mean() for part in (given, given.flip(3)))
            alpha[:, :, 30:, where] = 1
            alpha = alpha.flip(3) if mirrored < now else alpha
        return seen(alpha)

    return matte_alone


def feed(job: PlateJob, matte_alone, seconds: float = 10.0) -> Plate:
    for n in range(int(seconds * FPS)):
        plate = job.feed(JobFrame(n, n / FPS, seen(noisy(room(), n)), None, None, matte_alone))
        if plate is not None:
            return plate
    raise AssertionError("neither a plate nor a refusal")


def test_somebody_in_the_plate_is_refused_with_the_way_out():
    job = PlateJob(RULES, 0.0)
    with pytest.raises(PlateRefused) as refused:
        feed(job, person_seen(slice(10, 50)))
    said = str(refused.value)
    assert "somebody is in the picture, on the left" in said
    assert said.endswith("run: camdaemon plate take --anyway")
    assert job.progress.waits_for == "somebody is in the picture, on the left"


def test_who_steps_out_in_time_has_a_plate():
    calls = []

    def matte_alone(picture: Array) -> Array:
        calls.append(picture)
        return person_seen(slice(10, 50) if len(calls) <= 2 else None)(picture)

    taken = feed(PlateJob(PlateRules(frames=9, still_s=0.3, timeout_s=5), 0.0), matte_alone)
    assert taken.pictures is None
    assert len(calls) == 4, "each picture and its mirror image"


def test_a_picture_on_the_wall_is_accepted_and_known_the_next_time():
    taken = feed(PlateJob(RULES, 0.0, anyway=True), person_seen(slice(10, 50)))
    assert taken.pictures is not None
    assert taken.pictures.any()
    again = feed(PlateJob(RULES, 0.0, pictures=taken.pictures), person_seen(slice(10, 50)))
    assert again.pictures is not None
    assert np.array_equal(again.pictures, taken.pictures)
    with pytest.raises(PlateRefused, match="on the right"):
        feed(PlateJob(RULES, 0.0, pictures=taken.pictures), person_seen(slice(110, 150)))
