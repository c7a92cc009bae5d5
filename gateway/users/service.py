"""People: registration, login, roles, deletion."""

import secrets
from dataclasses import dataclass
from datetime import datetime

import structlog
from pymongo.errors import DuplicateKeyError

from gateway.api_keys import service as api_keys
from gateway.auth.passwords import hash_password, verify_password
from gateway.config import Settings
from gateway.errors import GatewayError
from gateway.kit import clock
from gateway.kit.cache import ShortCache
from gateway.kit.ids import new_id
from gateway.store.unit_of_work import Session, unit_of_work
from gateway.users.documents import User
from gateway.users.roles import Role

log = structlog.get_logger(__name__)

_webhook_secrets: ShortCache[str] = ShortCache()


class EmailTaken(GatewayError):
    status_code = 400
    error_code = "EMAIL_TAKEN"
    detail = "User with this email already exists."


class InvalidCredentials(GatewayError):
    status_code = 401
    error_code = "INVALID_CREDENTIALS"
    detail = "Invalid email or password."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class UserNotFound(GatewayError):
    status_code = 404
    error_code = "USER_NOT_FOUND"
    detail = "User not found."


class RoleIsFixed(GatewayError):
    status_code = 403
    error_code = "ROLE_IS_FIXED"
    detail = "Access denied. A system_admin keeps its role."


class SelfDeletion(GatewayError):
    status_code = 400
    error_code = "SELF_DELETION"
    detail = "Admins cannot delete their own user account."


class UserDeletionDenied(GatewayError):
    status_code = 403
    error_code = "ACCESS_DENIED"
    detail = "Access denied. Only system_admin/admin can delete users."


@dataclass(frozen=True, slots=True)
class Person:
    """A living user without anything secret."""

    id: str
    name: str
    email: str
    role: Role
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Registration:
    """A new user with its key and secret in clear, for this once."""

    person: Person
    api_key: str
    webhook_secret: str


async def register(
    settings: Settings, *, name: str, email: str, password: str, role: Role, require_signature: bool = False
) -> Registration:
    """Create a user with an API key and a webhook secret.

    Raises:
        EmailTaken: the unique index says so, whoever else registers at the same moment.
    """
    webhook_secret = "SK_" + secrets.token_hex(24)
    created_at = clock.now()
    user = User(
        id=new_id("user", created_at),
        name=name,
        email=email.lower(),
        password_hash=await hash_password(password, settings.password_hash_rounds),
        role=role,
        webhook_secret=settings.secret_box.seal(webhook_secret),
        created_at=created_at,
    )

    async def write(session: Session) -> str:
        await user.insert(session=session)
        return await api_keys.create_key(
            settings, user.id, require_signature=require_signature, session=session
        )

    try:
        api_key = await unit_of_work(write)
    except DuplicateKeyError as error:
        raise EmailTaken from error
    return Registration(_person(user), api_key, webhook_secret)


async def authenticate(settings: Settings, email: str, password: str) -> Person:
    """The user with this e-mail and password.

    Raises:
        InvalidCredentials: after the same time whether or not the e-mail is known.
    """
    user = await User.find_one({"email": email.lower(), "deleted_at": None})
    password_hash = user.password_hash if user else None
    matches = await verify_password(password, password_hash, settings.password_hash_rounds)
    if user is None or not matches:
        raise InvalidCredentials
    return _person(user)


async def find_person(user_id: str) -> Person | None:
    """The user with this id unless deleted."""
    user = await _find(user_id)
    return _person(user) if user else None


async def webhook_secret(settings: Settings, user_id: str) -> str:
    """The secret that signs and verifies for this user; deleted users keep theirs.

    Raises:
        UserNotFound: there never was such a user.
    """

    async def load() -> str | None:
        user = await User.get(user_id)
        return settings.secret_box.open(user.webhook_secret) if user else None

    secret = await _webhook_secrets.get(user_id, load)
    if secret is None:
        raise UserNotFound
    return secret


async def list_people(*, skip: int, limit: int) -> list[Person]:
    """Newest first."""
    users = await User.find({"deleted_at": None}).sort("-_id").skip(skip).limit(limit).to_list()
    return [_person(user) for user in users]


async def count_people() -> int:
    return await User.find({"deleted_at": None}).count()


async def change_role(user_id: str, role: Role) -> None:
    """Give a user another role, which holds from its next request on.

    Raises:
        UserNotFound, RoleIsFixed: a ``system_admin`` can't be demoted, so that one always remains.
    """
    user = await _find(user_id)
    if user is None:
        raise UserNotFound
    if user.role is Role.SYSTEM_ADMIN:
        raise RoleIsFixed
    await User.find({"_id": user_id, "role": {"$ne": Role.SYSTEM_ADMIN}}).update({"$set": {"role": role}})


async def delete_user(user_id: str, *, by: Person) -> None:
    """Hide a user, free its e-mail and revoke its keys; its payments stay.

    Raises:
        UserDeletionDenied: ``by`` is no admin, or an admin would delete a ``system_admin``.
        SelfDeletion, UserNotFound
    """
    if by.role not in (Role.ADMIN, Role.SYSTEM_ADMIN):
        raise UserDeletionDenied
    if user_id == by.id:
        raise SelfDeletion
    user = await _find(user_id)
    if user is None:
        raise UserNotFound(f"User '{user_id}' not found.")
    if user.role is Role.SYSTEM_ADMIN and by.role is not Role.SYSTEM_ADMIN:
        raise UserDeletionDenied
    gone = {
        "deleted_at": clock.now(),
        "deleted_by": by.id,
        "deleted_email": user.email,
        "email": f"deleted:{user.id}",
    }

    async def write(session: Session) -> None:
        await User.find({"_id": user_id, "deleted_at": None}, session=session).update(
            {"$set": gone}, session=session
        )
        await api_keys.revoke_all(user_id, session)

    await unit_of_work(write)
    api_keys.forget_cached()


async def ensure_system_admin(settings: Settings) -> str | None:
    """Create the first ``system_admin`` where there is none.

    Returns its password if it was made up here, for this once; else ``None``.
    """
    if await User.find_one({"role": Role.SYSTEM_ADMIN, "deleted_at": None}):
        return None
    given = settings.admin_password.get_secret_value()
    password = given or secrets.token_urlsafe(15)
    try:
        await register(
            settings,
            name="System administrator",
            email=settings.admin_email,
            password=password,
            role=Role.SYSTEM_ADMIN,
        )
    except EmailTaken:
        if await User.find_one({"role": Role.SYSTEM_ADMIN, "deleted_at": None}) is None:
            log.warning("no_system_admin", reason="ADMIN_EMAIL belongs to an ordinary user")
        return None
    return None if given else password


async def _find(user_id: str) -> User | None:
    return await User.find_one({"_id": user_id, "deleted_at": None})


def _person(user: User) -> Person:
    return Person(user.id, user.name, user.email, user.role, user.created_at)
