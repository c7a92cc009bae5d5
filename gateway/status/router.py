from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from gateway import SERVICE_NAME, VERSION
from gateway.errors import StoreUnavailable, responses
from gateway.kit.routing import API, GatewayRoute
from gateway.kit.schema import WireModel, WireTime
from gateway.metrics import exposition
from gateway.payments import service as payments

root = APIRouter(tags=["Service"], route_class=GatewayRoute)
router = APIRouter(prefix=API, tags=["Service"], route_class=GatewayRoute)


class RootAnswer(WireModel):
    name: str = Field(examples=[SERVICE_NAME])
    version: str = Field(examples=[VERSION])
    docs: str = Field(examples=["/docs"])
    dashboard: str = Field(examples=["/api/v1/admin/dashboard"])


class HealthAnswer(WireModel):
    status: Literal["ok"]


class StatusMetrics(WireModel):
    total_transactions: int = Field(examples=[0])
    last_restart: WireTime


class StatusAnswer(WireModel):
    status: Literal["ok"]
    service: str = Field(examples=[SERVICE_NAME])
    version: str = Field(examples=[VERSION])
    message: str = Field(examples=["All systems operational."])
    metrics: StatusMetrics


@root.get("/", summary="What this is", responses=responses())
async def index() -> RootAnswer:
    return RootAnswer(name=SERVICE_NAME, version=VERSION, docs="/docs", dashboard="/api/v1/admin/dashboard")


@root.get("/health", summary="Whether the store answers", responses=responses(StoreUnavailable))
async def health(request: Request) -> HealthAnswer:
    await request.app.state.store.ping()
    return HealthAnswer(status="ok")


@root.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={
        200: {
            "content": {
                "text/plain": {
                    "schema": {"type": "string"},
                    "example": 'gateway_charges_total{status="pending"} 1.0\n',
                }
            }
        },
        **responses(),
    },
)
async def metrics() -> Response:
    return Response(exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/status", summary="Version and figures", responses=responses())
async def status(request: Request) -> StatusAnswer:
    state: Any = request.app.state
    return StatusAnswer(
        status="ok",
        service=SERVICE_NAME,
        version=VERSION,
        message="All systems operational.",
        metrics=StatusMetrics(
            total_transactions=await payments.count_transactions(), last_restart=state.started_at
        ),
    )
