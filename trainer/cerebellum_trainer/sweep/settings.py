"""Settings from a YAML mapping into frozen dataclasses, strictly: a misspelt name, a wrong type or a value
that is none of those allowed is refused with its place in the file. Dotted names (`recipe.epochs`) change one
setting.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from cerebellum_trainer.errors import TrainerError

WORDS = {int: "a whole number", float: "a number", bool: "true or false"}


def refused(where: str, found: object, expected: str) -> TrainerError:
    happened = f"{where}: {found!r} where {expected} is expected"
    return TrainerError("SWEEP_INVALID", happened, "Correct the file")


def parsed(kind: Any, value: Any, where: str) -> Any:
    """`value` as `kind` (a dataclass, a scalar, a Literal, a tuple, a dict, or a union of these).

    Raises: TrainerError SWEEP_INVALID, naming the place.
    """
    if kind is Any:
        return value
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return parsed_union(kind, value, where)
    if origin is Literal:
        if value not in get_args(kind):
            raise refused(where, value, " or ".join(map(str, get_args(kind))))
        return value
    if origin is tuple:
        return parsed_tuple(kind, value, where)
    if origin is dict:
        if not isinstance(value, dict):
            raise refused(where, value, "a mapping")
        item = get_args(kind)[1]
        return {str(name): parsed(item, one, f"{where}.{name}") for name, one in value.items()}
    if dataclasses.is_dataclass(kind):
        return parsed_dataclass(kind, value, where)
    return parsed_scalar(kind, value, where)


def parsed_union(kind: Any, value: Any, where: str) -> Any:
    choices = get_args(kind)
    if value is None and NoneType in choices:
        return None
    for choice in choices:
        if choice is not NoneType:
            try:
                return parsed(choice, value, where)
            except TrainerError:
                continue
    raise refused(where, value, " or ".join(getattr(choice, "__name__", str(choice)) for choice in choices))


def parsed_tuple(kind: Any, value: Any, where: str) -> tuple:
    items = get_args(kind)
    is_open = len(items) == 2 and items[1] is Ellipsis
    if not isinstance(value, list | tuple) or (not is_open and len(value) != len(items)):
        raise refused(where, value, "a list" if is_open else f"a list of {len(items)}")
    kinds = [items[0]] * len(value) if is_open else items
    return tuple(
        parsed(item, one, f"{where}[{place}]")
        for place, (item, one) in enumerate(zip(kinds, value, strict=True))
    )


def parsed_dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise refused(where, value, f"a mapping with {', '.join(names_of(kind))}")
    hints = get_type_hints(kind)
    for name in value:
        if name not in names_of(kind):
            raise refused(where, name, f"one of {', '.join(names_of(kind))}")
    needed = [
        field.name
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    for name in needed:
        if name not in value:
            raise refused(where, sorted(value), f"a mapping with {name}")
    try:
        return kind(**{name: parsed(hints[name], one, f"{where}.{name}") for name, one in value.items()})
    except ValueError as error:
        raise TrainerError("SWEEP_INVALID", f"{where}: {error}", "Correct the file") from error


def parsed_scalar(kind: Any, value: Any, where: str) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    if kind is float and isinstance(value, str):
        # YAML 1.1 takes 1e-3, without a point, for a text.
        try:
            return float(value)
        except ValueError:
            raise refused(where, value, "a number") from None
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind in (int, str, bool) and type(value) is kind:
        return value
    raise refused(where, value, WORDS.get(kind, "a text"))


def names_of(kind: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def changed(settings: Any, changes: dict[str, Any], where: str) -> Any:
    """A copy of a dataclass with some settings changed; one that lies in another has a dotted name."""
    for name, value in changes.items():
        settings = changed_one(settings, name.split("."), value, f"{where}.{name}")
    return settings


def changed_one(settings: Any, path: list[str], value: Any, where: str) -> Any:
    name, *rest = path
    is_settings = dataclasses.is_dataclass(settings) and not isinstance(settings, type)
    if not is_settings or name not in names_of(settings):
        there = ", ".join(names_of(settings)) if dataclasses.is_dataclass(settings) else "nothing"
        raise refused(where, name, f"one of {there}")
    if rest:
        new = changed_one(getattr(settings, name), rest, value, where)
    else:
        new = parsed(get_type_hints(type(settings))[name], value, where)
    try:
        return dataclasses.replace(settings, **{name: new})
    except ValueError as error:
        raise TrainerError("SWEEP_INVALID", f"{where}: {error}", "Correct the file") from error
