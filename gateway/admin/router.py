from fastapi import APIRouter
from pydantic import Field

from gateway.auth.callers import AccessDenied, AnyAdmin, NotAuthenticated
from gateway.errors import responses
from gateway.kit.routing import API, GatewayRoute
from gateway.kit.schema import WireModel
from gateway.payments import service as payments
from gateway.users import service as users
from gateway.users.roles import Role

router = APIRouter(prefix=API, tags=["Admin"], route_class=GatewayRoute)


class DashboardAnswer(WireModel):
    message: str = Field(examples=["Welcome to the admin dashboard."])
    user_id: str = Field(examples=["user_019e6b0c9a2f0000c2a90d5e4f11"])
    role: Role = Field(examples=["admin"])
    total_users: int = Field(examples=[3])
    total_transactions: int = Field(examples=[120])


@router.get(
    "/admin/dashboard", summary="Figures for admins", responses=responses(NotAuthenticated, AccessDenied)
)
async def dashboard(admin: AnyAdmin) -> DashboardAnswer:
    return DashboardAnswer(
        message="Welcome to the admin dashboard.",
        user_id=admin.id,
        role=admin.role,
        total_users=await users.count_people(),
        total_transactions=await payments.count_transactions(),
    )
