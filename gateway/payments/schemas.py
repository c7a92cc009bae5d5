from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BeforeValidator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from gateway.kit import clock, money
from gateway.kit.cards import holds_card_number
from gateway.kit.money import DECIMALS, InvalidAmount
from gateway.kit.schema import RequestModel, WireAmount, WireModel, WireTime
from gateway.payments.documents import Transaction
from gateway.payments.states import TransactionStatus

NO_DETAILS = "No details provided"
_url = TypeAdapter(AnyHttpUrl)


def _refuse_card_number(text: str) -> str:
    if holds_card_number(text):
        raise PydanticCustomError(
            "card_number",
            "must not hold a card number; the published test numbers are allowed",
        )
    return text


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
    if isinstance(value, str) and (code := value.upper()) in DECIMALS:
        return code
    raise PydanticCustomError("currency", "must be an ISO 4217 currency code such as USD")


def _check_url(value: str) -> str:
    try:
        _url.validate_python(value)
    except ValidationError as error:
        raise PydanticCustomError("url", "must be an http or https URL") from error
    return value


SafeText = Annotated[str, AfterValidator(_refuse_card_number)]
CustomerName = Annotated[
    SafeText,
    StringConstraints(max_length=200, pattern=r"^[^\x00]*$"),
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
Details = Annotated[SafeText, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")]
WebhookUrl = Annotated[str, StringConstraints(max_length=2048), AfterValidator(_check_url)]
MetadataKey = Annotated[
    SafeText, StringConstraints(min_length=1, max_length=40, pattern=r"^[^\x00.$][^\x00.]*$")
]
MetadataText = Annotated[SafeText, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]
MetadataNumber = Annotated[StrictInt, Field(ge=-(2**63), le=2**63 - 1)]
MetadataValue = MetadataText | MetadataNumber | StrictFloat | StrictBool | None


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


def wire_transaction(transaction: Transaction) -> dict[str, Any]:
    """The JSON members of a ``TransactionView``."""
    completed_at = transaction.completed_at
    return {
        "id": transaction.id,
        "ownerId": transaction.owner_id,
        "customerName": transaction.customer_name,
        "amount": money.to_wire(transaction.amount, transaction.currency),
        "currency": transaction.currency,
        "details": transaction.details or NO_DETAILS,
        "status": transaction.status.value,
        "webhookUrl": transaction.webhook_url,
        "metadata": transaction.metadata,
        "createdAt": clock.to_wire(transaction.created_at),
        "completedAt": completed_at and clock.to_wire(completed_at),
    }
