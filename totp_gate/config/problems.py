"""Pydantic's complaints in words that end with a remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic_core import ErrorDetails

from totp_gate.config.base import Complaint, Place, Section
from totp_gate.config.sources import section_of

_WORDS = {
    "string_type": "must be text: put it in quotes",
    "bool_type": "must be true or false, without quotes",
    "int_type": "must be a whole number, without quotes",
    "dict_type": "must be a table of its own: write it in brackets on a line",
    "model_type": "must be a table of its own: write it in brackets on a line",
}


def translate(error: ErrorDetails, model: type[Section]) -> Complaint:
    """Return *error*, which *model* raised, as a complaint; never with the value."""
    place, kind = error["loc"], error["type"]
    context: Mapping[str, Any] = error.get("ctx", {})
    if kind == "value_error":
        return Complaint(place, str(context["error"]))
    if kind == "literal_error":
        return Complaint(place, f"must be one of: {context['expected']}")
    if kind == "extra_forbidden":
        return Complaint(place, _unknown(place, model))
    return Complaint(place, _WORDS.get(kind, f"{error['msg'].lower()}: correct it"))


def broken(complaints: Iterable[Complaint]) -> set[Place]:
    """Return the settings that are wrong by themselves: no parts of a list."""
    places: set[Place] = set()
    for complaint in complaints:
        place = complaint.place
        while len(place) > 2 and isinstance(place[-1], int):
            place = place[:-1]
        places.add(place)
    return places


def without(values: Any, places: set[Place]) -> Any:
    """Return a copy of *values* without *places*; list entries become empty tables."""
    if isinstance(values, dict):
        return {
            key: without(value, _below(key, places))
            for key, value in values.items()
            if (key,) not in places
        }
    if isinstance(values, list):
        return [
            {} if (number,) in places else without(value, _below(number, places))
            for number, value in enumerate(values)
        ]
    return values


def concerns(complaint: Complaint, places: set[Place]) -> bool:
    """Tell whether *complaint* follows from one of *places* being wrong."""
    return any(
        place[:length] in places
        for place in (complaint.place, *complaint.also)
        for length in range(1, len(place) + 1)
    )


def _below(part: str | int, places: set[Place]) -> set[Place]:
    return {place[1:] for place in places if place[0] == part and len(place) > 1}


def _unknown(place: Place, model: type[Section]) -> str:
    *tables, key = place
    section = model
    for part in tables:
        if isinstance(part, str):
            section = _inner(section, part)
    near = difflib.get_close_matches(str(key), section.model_fields, 1, cutoff=0.6)
    if near:
        return f"is unknown: did you mean {near[0]}?"
    for name in model.model_fields:
        if key in _inner(model, name).model_fields:
            return f"is unknown here: did you mean {name}.{key}?"
    return "is unknown: remove it"


def _inner(section: type[Section], key: str) -> type[Section]:
    """Return the section that *key* holds, alone or in a list."""
    annotation = section.model_fields[key].annotation
    found = section_of(annotation)
    return found or next(filter(None, map(section_of, get_args(annotation))), Section)
