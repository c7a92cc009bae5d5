from typing import Annotated

from fastapi import APIRouter, Path, Query

from gateway.auth.callers import (
    AccessDenied,
    AnyAdmin,
    CurrentSettings,
    CurrentUser,
    NotAuthenticated,
    SystemAdmin,
)
from gateway.errors import responses
from gateway.kit.routing import API, GatewayRoute
from gateway.users import service
from gateway.users.roles import Role
from gateway.users.schemas import (
    MessageAnswer,
    ProtectedAnswer,
    RegisterAnswer,
    RegisterRequest,
    RoleChangeAnswer,
    RoleChangeRequest,
    SignUpRole,
    UserView,
)

router = APIRouter(prefix=API, tags=["People"], route_class=GatewayRoute)

UserId = Annotated[str, Path(examples=["user_019e6b0c9a2f0000c2a90d5e4f11"])]

_STORED_ROLE = {SignUpRole.CUSTOMER: Role.USER, SignUpRole.MERCHANT: Role.MERCHANT}


@router.post(
    "/users/register",
    status_code=201,
    summary="Register and get an API key and a webhook secret",
    responses=responses(service.EmailTaken),
)
@router.post(
    "/users/",
    status_code=201,
    summary="Register (another path for the same)",
    responses=responses(service.EmailTaken),
)
async def register(body: RegisterRequest, settings: CurrentSettings) -> RegisterAnswer:
    registration = await service.register(
        settings,
        name=body.name,
        email=body.email,
        password=body.password,
        role=_STORED_ROLE[body.role],
        require_signature=body.require_signature,
    )
    return RegisterAnswer(
        message="User registered successfully.",
        user_id=registration.person.id,
        api_key=registration.api_key,
        webhook_secret=registration.webhook_secret,
        role=registration.person.role,
        created_at=registration.person.created_at,
    )


@router.get("/users/me", summary="Who am I", responses=responses(NotAuthenticated))
async def me(caller: CurrentUser) -> UserView:
    return _view(caller)


@router.get(
    "/users", summary="List people, newest first", responses=responses(NotAuthenticated, AccessDenied)
)
async def list_users(
    admin: AnyAdmin,
    skip: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[UserView]:
    return [_view(person) for person in await service.list_people(skip=skip, limit=limit)]


@router.patch(
    "/users/{user_id}/role",
    summary="Change somebody's role",
    responses=responses(NotAuthenticated, AccessDenied, service.RoleIsFixed, service.UserNotFound),
)
async def change_role(user_id: UserId, body: RoleChangeRequest, admin: SystemAdmin) -> RoleChangeAnswer:
    await service.change_role(user_id, Role(body.new_role.value))
    return RoleChangeAnswer(message=f"User role updated to '{body.new_role.value}'", user_id=user_id)


@router.delete(
    "/users/{user_id}",
    summary="Delete a user",
    responses=responses(
        NotAuthenticated, service.SelfDeletion, service.UserDeletionDenied, service.UserNotFound
    ),
)
async def delete_user(user_id: UserId, caller: CurrentUser) -> MessageAnswer:
    await service.delete_user(user_id, by=caller)
    return MessageAnswer(message=f"User '{user_id}' deleted successfully.")


@router.get("/protected", summary="Try a token", responses=responses(NotAuthenticated))
async def protected(caller: CurrentUser) -> ProtectedAnswer:
    return ProtectedAnswer(
        message="Access granted — authenticated user.", user_id=caller.id, role=caller.role
    )


def _view(person: service.Person) -> UserView:
    return UserView(
        id=person.id, name=person.name, email=person.email, role=person.role, created_at=person.created_at
    )
