"""Pods against bytes that were written down by hand from spa/pod/pod.h, and what reads them back."""

import ctypes
import struct

import pytest

from camdaemon.linux.pipewire import pods
from camdaemon.linux.pipewire.pods import Kind, Param, Type, Value

FORMAT, SIZE, RATE = 0x20001, 0x20003, 0x20004


def test_an_object_is_laid_out_as_the_header_says():
    built = pods.build(Type.FORMAT, Param.ENUM_FORMAT, {FORMAT: Value(Type.ID, (2,))})
    body = struct.pack("=II", 0x40003, 3) + struct.pack("=II", FORMAT, 0) + struct.pack("=IIII", 4, 3, 2, 0)
    assert built == struct.pack("=II", len(body), 15) + body


def test_a_choice_holds_the_layout_of_its_values_once():
    built = pods.build(Type.PARAM_BUFFERS, Param.BUFFERS, {1: Value(Type.INT, (8, 4, 16), Kind.RANGE)})
    choice = struct.pack("=IIII", Kind.RANGE, 0, 4, 4) + struct.pack("=iii", 8, 4, 16)
    body = struct.pack("=II", 0x40004, 5) + struct.pack("=II", 1, 0) + struct.pack("=II", len(choice), 19) + choice
    assert built == struct.pack("=II", len(body) + 4, 15) + body + bytes(4)


VALUES = {
    1: Value(Type.ID, (2,)),
    2: Value(Type.INT, (-3,)),
    3: Value(Type.LONG, (1 << 40,)),
    SIZE: Value(Type.RECTANGLE, ((640, 360),)),
    RATE: Value(Type.FRACTION, ((30, 1), (1, 1), (60, 1)), Kind.RANGE),
    FORMAT: Value(Type.ID, (2, 2, 8), Kind.ENUM),
}


def test_what_is_built_is_read_back():
    found = pods.parse(pods.build(Type.FORMAT, Param.FORMAT, VALUES))
    assert (found.type, found.id, found.properties) == (Type.FORMAT, Param.FORMAT, VALUES)


def test_a_value_of_another_type_is_left_out_and_the_next_is_read():
    plain = pods.build(Type.FORMAT, Param.FORMAT, {RATE: Value(Type.FRACTION, ((30, 1),))})
    text = struct.pack("=IIII", 7, 0, 5, 8) + b"name\0\0\0\0"  # a string
    body = plain[8:16] + text + plain[16:]
    found = pods.parse(struct.pack("=II", len(body), 15) + body)
    assert found.properties == {RATE: Value(Type.FRACTION, ((30, 1),))}


@pytest.mark.parametrize("cut", [0, 4, 12, 40])
def test_what_is_cut_off_or_no_object_is_refused(cut):
    with pytest.raises(ValueError, match="pod"):
        pods.parse(pods.build(Type.FORMAT, Param.FORMAT, VALUES)[:cut])
    with pytest.raises(ValueError, match="object"):
        pods.parse(struct.pack("=IIII", 4, Type.INT, 1, 0))


@pytest.mark.parametrize(
    ("value", "inside", "outside"),
    [
        (Value(Type.ID, (2,)), 2, 8),
        (Value(Type.ID, (2, 2, 8), Kind.ENUM), 8, 4),
        (Value(Type.INT, (8, 4, 16), Kind.RANGE), 16, 17),
        (Value(Type.RECTANGLE, ((640, 360), (1, 1), (1280, 720)), Kind.RANGE), (1280, 720), (1280, 721)),
    ],
)
def test_a_value_knows_what_may_be_chosen(value, inside, outside):
    assert value.has(inside)
    assert not value.has(outside)


def test_a_pod_is_copied_out_of_foreign_memory():
    built = pods.build(Type.FORMAT, Param.FORMAT, VALUES)
    memory = ctypes.create_string_buffer(built + b"what follows")
    copied = pods.copy(ctypes.addressof(memory))
    assert copied is not None
    assert pods.parse(copied) == pods.parse(built)
    assert pods.copy(None) is None
