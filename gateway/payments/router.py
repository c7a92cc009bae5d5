from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from gateway.auth.callers import (
    SIGNED,
    ApiKeyCaller,
    CurrentUser,
    InvalidApiKey,
    NotAuthenticated,
    SignedMerchant,
    settings_of,
)
from gateway.auth.signatures import InvalidSignature, SignatureAlreadyUsed
from gateway.errors import GatewayError, responses
from gateway.idempotency.service import (
    BodyTooNested,
    IdempotencyHeader,
    IdempotencyInProgress,
    IdempotencyKey,
    IdempotencyKeyReused,
)
from gateway.kit import money
from gateway.kit.money import InvalidAmount
from gateway.kit.routing import API, ExactMethodRoute, GatewayRoute
from gateway.kit.schema import ShortText
from gateway.payments import queries, service
from gateway.payments.schemas import (
    ChargeAnswer,
    ChargeRequest,
    CurrencyCode,
    SortBy,
    SortOrder,
    TransactionPage,
    TransactionView,
    wire_transaction,
)
from gateway.payments.states import TransactionStatus
from gateway.users.schemas import MessageAnswer

router = APIRouter(prefix=API, tags=["Payments"], route_class=GatewayRoute)
catch_all = APIRouter(prefix=API, tags=["Payments"], route_class=ExactMethodRoute)

_CHARGE = "/payments/charge"
"""The endpoint's name within the scope of an idempotency key."""


class CallersDiffer(GatewayError):
    status_code = 403
    error_code = "CALLERS_DIFFER"
    detail = "Access denied. API key and token belong to different users."


class InvalidResourceType(GatewayError):
    status_code = 400
    error_code = "INVALID_RESOURCE_TYPE"
    detail = "Invalid resource type. Must be 'transactions' or 'users'."


def _decimal(value: object) -> Decimal:
    try:
        return money.parse_decimal(value)
    except InvalidAmount as error:
        raise ValueError(str(error)) from error


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError("is out of range") from error


AmountBound = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    WithJsonSchema({"type": "string", "pattern": r"^\d{1,15}(\.\d{1,12})?$", "examples": ["10.50"]}),
]
TimeBound = Annotated[datetime, AfterValidator(_utc), Field(examples=["2026-11-20T00:00:00.000Z"])]
PageLimit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[
    str | None,
    Query(
        max_length=500,
        description="`nextCursor` of the page before.",
        examples=["Y3JlYXRlZEF0LWRlc2N8MHx0eG5fMDE5ZTZiMGM5YTJmMDAwMGMyYTkwZDVlNGYxMQ"],
    ),
]
TransactionId = Annotated[str, Path(examples=["txn_019e6b0c9a2f0000c2a90d5e4f11"])]


@router.post(
    _CHARGE,
    status_code=201,
    summary="Charge a customer",
    response_model=ChargeAnswer,
    responses=responses(
        InvalidApiKey,
        InvalidSignature,
        IdempotencyInProgress,
        SignatureAlreadyUsed,
        IdempotencyKeyReused,
        BodyTooNested,
    ),
    openapi_extra=SIGNED,
)
async def charge(
    request: Request,
    body: ChargeRequest,
    merchant: SignedMerchant,
    idempotency_key: IdempotencyHeader = None,
) -> Response:
    key = None
    if idempotency_key is not None:
        key = IdempotencyKey.of(merchant.owner.id, _CHARGE, idempotency_key, await request.json())
    answer = await service.charge(settings_of(request), merchant, body, key)
    return answer.to_response()


@router.get(
    "/payments/all",
    summary="List the caller's transactions, newest first",
    response_model=TransactionPage,
    responses=responses(InvalidApiKey, queries.NoTransactions, queries.CursorRefused),
)
async def list_all(merchant: ApiKeyCaller, limit: PageLimit = 100, cursor: Cursor = None) -> Response:
    page = await queries.list_transactions(queries.Query(owner_id=merchant.id, limit=limit, cursor=cursor))
    if page is None:
        raise queries.NoTransactions
    return _json(page)


async def _both_callers(merchant: ApiKeyCaller, person: CurrentUser) -> str:
    if merchant.id != person.id:
        raise CallersDiffer
    return person.id


@router.get(
    "/payments/query",
    summary="Search the caller's transactions",
    response_model=TransactionPage,
    responses=responses(
        InvalidApiKey, NotAuthenticated, CallersDiffer, queries.NoMatchingTransactions, queries.CursorRefused
    ),
)
async def query_transactions(
    owner_id: Annotated[str, Depends(_both_callers)],
    min_amount: Annotated[AmountBound | None, Query(alias="minAmount", description="Major units.")] = None,
    max_amount: Annotated[AmountBound | None, Query(alias="maxAmount", description="Major units.")] = None,
    status: TransactionStatus | None = None,
    currency: CurrencyCode | None = None,
    created_from: Annotated[TimeBound | None, Query(alias="createdFrom")] = None,
    created_to: Annotated[TimeBound | None, Query(alias="createdTo")] = None,
    customer_name: Annotated[
        ShortText | None,
        Query(alias="customerName", description="The exact name.", examples=["Grace Hopper"]),
    ] = None,
    sort_by: Annotated[SortBy, Query(alias="sortBy")] = SortBy.CREATED_AT,
    sort_order: Annotated[SortOrder, Query(alias="sortOrder")] = SortOrder.DESC,
    limit: PageLimit = 100,
    cursor: Cursor = None,
) -> Response:
    page = await queries.list_transactions(
        queries.Query(
            owner_id=owner_id,
            min_amount=min_amount,
            max_amount=max_amount,
            status=status,
            currency=currency,
            created_from=created_from,
            created_to=created_to,
            customer_name=customer_name,
            sort_by=sort_by,
            sort_order=sort_order,
            limit=limit,
            cursor=cursor,
        )
    )
    if page is None:
        raise queries.NoMatchingTransactions
    return _json(page)


@router.get(
    "/payments/{transaction_id}",
    summary="Get one transaction",
    response_model=TransactionView,
    responses=responses(InvalidApiKey, service.TransactionNotFound),
)
async def get_transaction(transaction_id: TransactionId, merchant: ApiKeyCaller) -> Response:
    return _json(wire_transaction(await service.find_transaction(merchant.id, transaction_id)))


@router.delete(
    "/transactions/{transaction_id}",
    summary="Delete a transaction",
    responses=responses(NotAuthenticated, service.TransactionDeletionDenied, service.TransactionNotFound),
)
async def delete_transaction(transaction_id: TransactionId, caller: CurrentUser) -> MessageAnswer:
    await service.delete_transaction(transaction_id, by=caller)
    return MessageAnswer(message=f"Transaction '{transaction_id}' deleted successfully.")


@catch_all.delete(
    "/{resource}/{resource_id}",
    summary="Refuse to delete anything else",
    responses=responses(NotAuthenticated, InvalidResourceType),
)
async def delete_other(
    resource: Annotated[str, Path(examples=["wallets"])],
    resource_id: Annotated[str, Path(examples=["wal_019e6b0c9a2f0000c2a90d5e4f11"])],
    caller: CurrentUser,
) -> MessageAnswer:
    raise InvalidResourceType


def _json(content: dict[str, Any]) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")
