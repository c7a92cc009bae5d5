import math
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BeforeValidator,
    Field,
    PlainValidator,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from gateway.kit import clock, money
from gateway.kit.money import DECIMALS, InvalidAmount
from gateway.kit.schema import RequestModel, WireAmount, WireModel, WireTime, refuse_card_number
from gateway.payments.states import TransactionStatus, shown_as

NO_DETAILS = "No details provided"
_url = TypeAdapter(AnyHttpUrl)
# The parser would forgive a missing host and drop line ends; the URL is sent to as it was given.
_URL_TEXT = re.compile(r"https?://[^/?#\s][^\x00-\x1f\x7f]*", re.IGNORECASE)
_METADATA_TEXT_LENGTH = 500


def _refuse_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "must not be blank")
    return text


def _to_minor_units(value: object, info: ValidationInfo) -> int:
    try:
        amount = money.parse_decimal(value)
        return money.to_minor_units(amount, info.data["currency"]) if "currency" in info.data else 1
    except InvalidAmount as error:
        raise PydanticCustomError("amount", str(error)) from error


def _currency(value: object) -> object:
    if isinstance(value, str) and value.isascii() and (code := value.upper()) in DECIMALS:
        return code
    raise PydanticCustomError("currency", "must be an ISO 4217 currency code such as USD")


def _check_url(value: str) -> str:
    try:
        _url.validate_python(value)
        if _URL_TEXT.fullmatch(value):
            return value
    except ValidationError:
        pass
    raise PydanticCustomError("url", "must be an http or https URL")


def _metadata_value(value: object) -> object:
    """A text, number, boolean or null that the store and JSON both keep exactly."""
    if isinstance(value, str):
        if len(value) > _METADATA_TEXT_LENGTH or "\x00" in value:
            raise PydanticCustomError("metadata_text", "must have at most 500 characters and no NUL")
        return refuse_card_number(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        # The JSON reader hands whole numbers of more than 64 bits on as floats, no longer exact.
        if not math.isfinite(value) or not -(2**63) < value < 2**63:
            raise PydanticCustomError("metadata_number", "must be a finite number of at most 64 bits")
        if value == int(value):
            refuse_card_number(str(abs(int(value))))
        return value
    if value is None or isinstance(value, bool):
        return value
    raise PydanticCustomError("metadata_type", "must be a text, a number, a boolean or null")


CustomerName = Annotated[
    str,
    StringConstraints(max_length=200, pattern=r"^[^\x00]*$"),
    AfterValidator(refuse_card_number),
    AfterValidator(_refuse_blank),
    Field(examples=["Grace Hopper"]),
]
CurrencyCode = Annotated[
    str,
    BeforeValidator(_currency),
    WithJsonSchema(
        {"type": "string", "pattern": "^[A-Za-z]{3}$", "examples": ["USD"], "description": "ISO 4217."}
    ),
]
MinorUnits = Annotated[
    int,
    BeforeValidator(_to_minor_units),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": r"^\d+(\.\d+)?$"},
            ],
            "description": "Major units, no finer than the currency; at most 999,999,999,999 minor units.",
            "examples": [1000.00],
        }
    ),
]
Details = Annotated[
    str,
    StringConstraints(max_length=2000, pattern=r"^[^\x00]*$"),
    AfterValidator(refuse_card_number),
]
WebhookUrl = Annotated[
    str,
    StringConstraints(max_length=2048),
    AfterValidator(refuse_card_number),
    AfterValidator(_check_url),
    WithJsonSchema(
        {"type": "string", "format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://", "maxLength": 2048}
    ),
]
MetadataKey = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40, pattern=r"^[^\x00.$][^\x00.]*$"),
    AfterValidator(refuse_card_number),
]
MetadataValue = Annotated[
    Any,
    PlainValidator(_metadata_value),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "maxLength": _METADATA_TEXT_LENGTH, "pattern": r"^[^\x00]*$"},
                {"type": "number"},
                {"type": "boolean"},
                {"type": "null"},
            ]
        }
    ),
]


class ChargeRequest(RequestModel):
    """``payment_amount`` is in minor units once validated."""

    customer_name: CustomerName
    currency: CurrencyCode
    payment_amount: MinorUnits
    details: Details | None = Field(None, examples=["Order 1001"])
    webhook_url: WebhookUrl | None = Field(
        None, description="Told when the payment completes.", examples=["http://127.0.0.1:9000/"]
    )
    metadata: dict[MetadataKey, MetadataValue] = Field(
        default_factory=dict, max_length=50, examples=[{"orderId": "1001"}]
    )


class TransactionView(WireModel):
    id: str = Field(examples=["txn_019e6b0c9a2f0000c2a90d5e4f11"])
    owner_id: str = Field(examples=["user_019e6b0c9a2f0000c2a90d5e4f11"])
    customer_name: str = Field(examples=["Grace Hopper"])
    amount: WireAmount
    currency: str = Field(examples=["USD"])
    details: str = Field(examples=["Order 1001"])
    status: TransactionStatus
    webhook_url: str | None = Field(examples=["http://127.0.0.1:9000/"])
    metadata: dict[str, Any] = Field(examples=[{"orderId": "1001"}])
    created_at: WireTime
    completed_at: WireTime | None


class ChargeAnswer(TransactionView):
    created: WireTime


class TransactionPage(WireModel):
    user_id: str = Field(examples=["user_019e6b0c9a2f0000c2a90d5e4f11"])
    total_transactions: int = Field(description="All that match, not the page.", examples=[1])
    transactions: list[TransactionView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.", examples=[None])


class SortBy(StrEnum):
    AMOUNT = "amount"
    CREATED_AT = "createdAt"


class SortOrder(StrEnum):
    ASC = "asc"
    DESC = "desc"


def wire_transaction(row: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON members of a ``TransactionView``; ``row`` is the document as it is stored."""
    completed_at = row["completed_at"]
    return {
        "id": row["_id"],
        "ownerId": row["owner_id"],
        "customerName": row["customer_name"],
        "amount": money.to_wire(row["amount"], row["currency"]),
        "currency": row["currency"],
        "details": row["details"] or NO_DETAILS,
        "status": shown_as(row["status"]),
        "webhookUrl": row["webhook_url"],
        "metadata": row["metadata"],
        "createdAt": clock.to_wire(row["created_at"]),
        "completedAt": completed_at and clock.to_wire(completed_at),
    }
