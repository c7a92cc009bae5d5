from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Security

from gateway.api_keys import service as api_keys
from gateway.auth.callers import (
    CurrentSettings,
    InvalidApiKey,
    api_key_header,
    check_signature,
    signature_header,
)
from gateway.auth.signatures import InvalidSignature
from gateway.errors import responses
from gateway.kit.routing import GatewayRoute
from gateway.kit.schema import WireModel

router = APIRouter(tags=["Webhook receiver"], route_class=GatewayRoute)


class UnknownReceiverKey(InvalidApiKey):
    detail = "Invalid X-API-Key"


class InvalidWebhookSignature(InvalidSignature):
    error_code = "INVALID_WEBHOOK_SIGNATURE"
    detail = "Invalid webhook signature"


class ReceiverAnswer(WireModel):
    status: Literal["verified"]


async def _verified_sender(
    request: Request,
    settings: CurrentSettings,
    key: Annotated[str | None, Security(api_key_header)],
    signature: Annotated[str | None, Security(signature_header)],
) -> str:
    owner = await api_keys.find_owner(settings, key) if key else None
    if owner is None:
        raise UnknownReceiverKey
    request.scope["caller"] = owner.id
    if signature is None:
        raise InvalidWebhookSignature("X-Signature is missing.")
    try:
        await check_signature(request, settings, owner.id, signature)
    except InvalidSignature as error:
        raise InvalidWebhookSignature(error.hint or "") from error
    return owner.id


@router.post(
    "/webhook-receive",
    summary="Check a webhook's signature",
    responses=responses(UnknownReceiverKey, InvalidWebhookSignature),
)
async def receive(body: dict[str, Any], sender: Annotated[str, Depends(_verified_sender)]) -> ReceiverAnswer:
    return ReceiverAnswer(status="verified")
