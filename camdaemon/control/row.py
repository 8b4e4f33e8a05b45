"""The rows of the table, without the module `typing`: a command to the daemon would wait 20 ms for it.

For readers and type checkers a row is a NamedTuple, see `table`.
"""


class Row:
    """An immutable record whose fields and defaults are those that its class annotates."""

    def __init__(self, *given: object, **named: object) -> None:
        """Take the values by place or by name. Raises TypeError like any function."""
        fields = list(type(self).__annotations__)
        values = dict(zip(fields, given, strict=False)) | named
        missing = [name for name in fields if name not in values and not hasattr(type(self), name)]
        unknown = [name for name in named if name not in fields]
        if missing or unknown or len(given) + len(named) != len(values):
            raise TypeError(f"{type(self).__name__}: missing {missing}, unknown {unknown}, or given twice")
        self.__dict__.update({name: values.get(name, getattr(type(self), name, None)) for name in fields})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a {type(self).__name__} cannot be changed")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    def _asdict(self) -> dict[str, object]:
        return dict(vars(self))

    def _replace(self, **changes: object) -> "Row":
        return type(self)(**(vars(self) | changes))
