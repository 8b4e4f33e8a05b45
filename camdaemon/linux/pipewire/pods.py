"""SPA pods, the values in which PipeWire negotiates: built from Python values, and read back. Pure bytes.

A pod is its body's size, its type, and the body, padded to eight bytes. An object's body is its type, its id and its
properties, each a key, flags and a pod (spa/pod/pod.h). Everything is in the machine's byte order.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

_HEAD = struct.Struct("=II")  # size of the body, type
_CHOICE = struct.Struct("=IIII")  # kind of choice, flags, then size and type of each value


class Type(IntEnum):
    """SPA_TYPE_*, spa/utils/type.h."""

    NONE = 1
    BOOL = 2
    ID = 3
    INT = 4
    LONG = 5
    RECTANGLE = 10
    FRACTION = 11
    OBJECT = 15
    CHOICE = 19
    FORMAT = 0x40003
    PARAM_BUFFERS = 0x40004
    PARAM_META = 0x40005


class Param(IntEnum):
    """SPA_PARAM_*, spa/param/param.h."""

    ENUM_FORMAT = 3
    FORMAT = 4
    BUFFERS = 5
    META = 6


class Kind(IntEnum):
    """SPA_CHOICE_*: how the values of a choice are meant."""

    NONE = 0
    RANGE = 1
    STEP = 2
    ENUM = 3
    FLAGS = 4


_PLAIN = {  # type → layout of its body
    Type.BOOL: struct.Struct("=i"),
    Type.ID: struct.Struct("=I"),
    Type.INT: struct.Struct("=i"),
    Type.LONG: struct.Struct("=q"),
    Type.RECTANGLE: struct.Struct("=II"),
    Type.FRACTION: struct.Struct("=II"),
}

Scalar = int | tuple[int, int]  # a rectangle and a fraction are pairs


@dataclass(frozen=True, slots=True)
class Value:
    """A value, or a choice of several.

    Attributes:
        type: Of each value.
        values: One value; of a choice first the default, then what `kind` says.
        kind: What the values of a choice are.
    """

    type: Type
    values: tuple[Scalar, ...]
    kind: Kind = Kind.NONE

    @property
    def default(self) -> Scalar:
        """The only value, or the one that a choice prefers."""
        return self.values[0]

    def has(self, value: Scalar) -> bool:
        """Whether `value` may be chosen. Pairs must lie in a range by both of their parts."""
        if self.kind is Kind.ENUM:
            return value in self.values
        if self.kind in (Kind.RANGE, Kind.STEP) and len(self.values) > 2:
            parts = (_pair(each) for each in (value, *self.values[1:3]))
            return all(low <= part <= high for part, low, high in zip(*parts, strict=True))
        return self.kind is Kind.NONE and value == self.values[0]


@dataclass(frozen=True, slots=True)
class Object:
    """An object's type, its id, and its properties by key. What is of no type known here is left out."""

    type: int
    id: int
    properties: Mapping[int, Value]


def build(type_: Type, id_: int, properties: Mapping[int, Value]) -> bytes:
    """Build an object's pod."""
    body = struct.pack("=II", type_, id_)
    for key, value in properties.items():
        body += struct.pack("=II", key, 0) + _build_value(value)
    return _pad(_HEAD.pack(len(body), Type.OBJECT) + body)


def parse(data: bytes) -> Object:
    """Read an object's pod.

    Raises:
        ValueError: It is cut off, or is no object.
    """
    try:
        size, type_ = _HEAD.unpack_from(data)
        if type_ != Type.OBJECT or len(data) < _HEAD.size + size:
            raise ValueError(f"no pod of an object: type {type_}, {len(data)} bytes")
        kind, id_ = _HEAD.unpack_from(data, 8)
        found, at, end = {}, 16, _HEAD.size + size
        while at + 16 <= end:
            key, _, length, value_type = struct.unpack_from("=IIII", data, at)
            value = _parse_value(value_type, data[at + 16 : min(at + 16 + length, end)])
            if value is not None:
                found[key] = value
            at += 16 + -(-length // 8) * 8
    except struct.error as exc:
        raise ValueError(f"a pod is cut off: {exc}") from None
    return Object(kind, id_, found)


def copy(address: int | None) -> bytes | None:
    """Copy the pod at `address`, which PipeWire owns; None for no pod."""
    if not address:
        return None
    size, _ = _HEAD.unpack(ctypes.string_at(address, _HEAD.size))
    return ctypes.string_at(address, _HEAD.size + size)


def _build_value(value: Value) -> bytes:
    layout = _PLAIN[value.type]
    bodies = b"".join(layout.pack(*_pair_or_one(each)) for each in value.values)
    if value.kind is Kind.NONE:
        return _pad(_HEAD.pack(layout.size, value.type) + bodies)
    body = _CHOICE.pack(value.kind, 0, layout.size, value.type) + bodies
    return _pad(_HEAD.pack(len(body), Type.CHOICE) + body)


def _parse_value(type_: int, body: bytes) -> Value | None:
    kind = Kind.NONE
    if type_ == Type.CHOICE:
        choice, _, _, type_ = _CHOICE.unpack_from(body)
        if choice not in list(Kind):
            return None
        kind, body = Kind(choice), body[_CHOICE.size :]
    layout = _PLAIN.get(Type(type_)) if type_ in list(Type) else None
    if layout is None or len(body) < layout.size:
        return None
    whole = len(body) // layout.size if kind is not Kind.NONE else 1
    read = [layout.unpack_from(body, index * layout.size) for index in range(whole)]
    return Value(Type(type_), tuple(each[0] if len(each) == 1 else (each[0], each[1]) for each in read), kind)


def _pair_or_one(value: Scalar) -> Sequence[Any]:
    return value if isinstance(value, tuple) else (value,)


def _pair(value: Scalar) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def _pad(pod: bytes) -> bytes:
    return pod + bytes(-len(pod) % 8)
