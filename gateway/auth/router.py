from typing import Annotated

from fastapi import APIRouter, Form
from pydantic import BaseModel, Field

from gateway.auth.callers import CurrentSettings
from gateway.auth.tokens import issue_token
from gateway.config import Settings
from gateway.errors import GatewayError, responses
from gateway.kit.routing import API, GatewayRoute
from gateway.kit.schema import ShortText
from gateway.users import service as users
from gateway.users.schemas import LoginAnswer, LoginEmail, LoginRequest

router = APIRouter(prefix=API, tags=["People"], route_class=GatewayRoute)


class PasswordForm(BaseModel):
    """The OAuth 2 password grant's form (RFC 6749, 4.3.2); ``username`` is the e-mail."""

    username: LoginEmail
    password: ShortText = Field(examples=["correct-horse"])
    grant_type: str | None = Field(None, pattern="^password$", examples=["password"])
    scope: str = ""


class UnreadableForm(GatewayError):
    """Documents what the form parser answers."""

    status_code = 400
    error_code = "BAD_REQUEST"
    detail = "Invalid multipart data."


@router.post("/users/login", summary="Log in and get a token", responses=responses(users.InvalidCredentials))
async def login(body: LoginRequest, settings: CurrentSettings) -> LoginAnswer:
    return await _log_in(settings, body.email, body.password)


@router.post(
    "/auth/login",
    summary="Log in with an OAuth 2 form",
    responses=responses(users.InvalidCredentials, UnreadableForm),
)
@router.post(
    "/login",
    summary="Log in with an OAuth 2 form (another path for the same)",
    responses=responses(users.InvalidCredentials, UnreadableForm),
)
async def login_by_form(form: Annotated[PasswordForm, Form()], settings: CurrentSettings) -> LoginAnswer:
    return await _log_in(settings, form.username, form.password)


async def _log_in(settings: Settings, email: str, password: str) -> LoginAnswer:
    person = await users.authenticate(settings, email, password)
    token = issue_token(settings, person)
    return LoginAnswer(access_token=token, token_type="bearer", user_id=person.id, role=person.role)
