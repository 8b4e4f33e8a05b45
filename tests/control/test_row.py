from __future__ import annotations

import pytest

from camdaemon.control.row import Row


class Fruit(Row):
    name: str
    weight: float = 1.5
    ripe: bool = False

    @property
    def word(self) -> str:
        return self.name.upper()


def test_a_row_has_the_fields_and_defaults_that_it_annotates() -> None:
    plum = Fruit("plum", ripe=True)
    assert (plum.name, plum.weight, plum.ripe, plum.word) == ("plum", 1.5, True, "PLUM")
    assert plum == Fruit("plum", 1.5, True)
    assert plum != Fruit("plum")
    assert plum != ("plum", 1.5, True)
    assert len({plum, Fruit("plum", 1.5, True)}) == 1
    assert plum._replace(weight=2) == Fruit("plum", 2, True)
    assert plum._asdict() == {"name": "plum", "weight": 1.5, "ripe": True}
    assert repr(plum) == "Fruit(name='plum', weight=1.5, ripe=True)"


@pytest.mark.parametrize(
    ("given", "named"),
    [((), {}), (("plum",), {"name": "plum"}), (("plum",), {"color": "blue"}), (("plum", 1, True, 4), {})],
)
def test_wrong_values_are_an_error_as_with_any_function(given: tuple[object, ...], named: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="Fruit"):
        Fruit(*given, **named)


def test_a_row_cannot_be_changed() -> None:
    plum = Fruit("plum")
    with pytest.raises(AttributeError, match="Fruit"):
        plum.weight = 3
    assert plum.weight == 1.5
