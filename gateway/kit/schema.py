"""The base of every wire shape and the field types that several rooms share."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from gateway.kit import clock
from gateway.kit.cards import holds_card_number

WireTime = Annotated[
    datetime,
    PlainSerializer(clock.to_wire, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
            "examples": ["2026-11-20T22:57:04.671Z"],
        }
    ),
]
"""A UTC time, always with a fraction and ``Z``."""

WireAmount = Annotated[float, Field(description="Major units of the currency.", examples=[1000.00])]


def refuse_card_number(text: str) -> str:
    """Refuse what may be a real card number, wherever free text is taken.

    Raises:
        PydanticCustomError: of type ``card_number``.
    """
    if holds_card_number(text):
        raise PydanticCustomError(
            "card_number",
            "must not hold a card number; the published test numbers are allowed",
        )
    return text


_NO_NUL = r"^[^\x00]*$"
ShortText = Annotated[str, Field(max_length=200, pattern=_NO_NUL)]
LongText = Annotated[str, Field(max_length=2000, pattern=_NO_NUL)]
EMAIL_PATTERN = r"^[^@\s\x00]{1,64}@[^@\s\x00.]+(\.[^@\s\x00.]+)+$"


class WireModel(BaseModel):
    """JSON in ``camelCase``; ``snake_case`` in the code."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class RequestModel(WireModel):
    """A request body. Unknown members are ignored, as clients of this API expect."""
