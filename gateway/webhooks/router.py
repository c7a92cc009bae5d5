from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Request, Security

from gateway.api_keys.service import ApiKeyOwner
from gateway.auth.callers import SIGNED, ApiKeyHeader, InvalidApiKey, check_signature
from gateway.auth.signatures import InvalidSignature
from gateway.errors import responses
from gateway.kit.routing import API, GatewayRoute
from gateway.kit.schema import WireModel

router = APIRouter(prefix=API, tags=["Webhook receiver"], route_class=GatewayRoute)


class UnknownReceiverKey(InvalidApiKey):
    detail = "Invalid X-API-Key"


class InvalidWebhookSignature(InvalidSignature):
    error_code = "INVALID_WEBHOOK_SIGNATURE"
    detail = "Invalid webhook signature"


class ReceiverAnswer(WireModel):
    status: Literal["verified"]


class _VerifiedSender(ApiKeyHeader):
    """The owner of a key whose secret signed the body."""

    error = UnknownReceiverKey

    async def __call__(self, request: Request) -> ApiKeyOwner:
        owner = await self.owner(request)
        signature = request.headers.get("X-Signature")
        if signature is None:
            raise InvalidWebhookSignature("X-Signature is missing.")
        try:
            await check_signature(request, owner.id, signature)
        except InvalidSignature as error:
            raise InvalidWebhookSignature(error.hint or "") from error
        return owner


VerifiedSender = Annotated[ApiKeyOwner, Security(_VerifiedSender())]


@router.post(
    "/webhook-receive",
    summary="Check a webhook's signature",
    responses=responses(UnknownReceiverKey, InvalidWebhookSignature),
    openapi_extra=SIGNED,
)
async def receive(
    body: Annotated[dict[str, Any], Body(examples=[{"event": "payment.completed"}])],
    sender: VerifiedSender,
) -> ReceiverAnswer:
    return ReceiverAnswer(status="verified")
