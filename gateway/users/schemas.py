from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from gateway.kit.schema import EMAIL_PATTERN, RequestModel, ShortText, WireModel, WireTime, refuse_card_number
from gateway.users.roles import Role

Email = Annotated[
    str,
    StringConstraints(pattern=EMAIL_PATTERN, max_length=254),
    AfterValidator(refuse_card_number),
    Field(examples=["ada@shop.example"]),
]
NewPassword = Annotated[
    str,
    StringConstraints(min_length=8, max_length=64, pattern=r"^[^\x00]*$"),
    Field(examples=["correct-horse"]),
]


class SignUpRole(StrEnum):
    """What people may sign up as."""

    CUSTOMER = "customer"
    MERCHANT = "merchant"


class GrantableRole(StrEnum):
    """What a system_admin may make of somebody."""

    USER = "user"
    MERCHANT = "merchant"
    ADMIN = "admin"


class RegisterRequest(RequestModel):
    name: Annotated[
        str,
        StringConstraints(min_length=2, max_length=200, pattern=r"^[^\x00]*$"),
        AfterValidator(refuse_card_number),
        Field(examples=["Ada's Shop"]),
    ]
    email: Email
    password: NewPassword
    role: SignUpRole = Field(SignUpRole.CUSTOMER, examples=["merchant"])
    require_signature: bool = Field(
        False, description="Whether the API key accepts only charges with a timestamped signature."
    )


class RegisterAnswer(WireModel):
    message: str = Field(examples=["User registered successfully."])
    user_id: str = Field(examples=["user_019e6b0c9a2f0000c2a90d5e4f11"])
    api_key: str = Field(description="Shown this once.", examples=["PK_LIVE_7c1f…"])
    webhook_secret: str = Field(description="Shown this once.", examples=["SK_9b3e…"])
    role: Role = Field(examples=["merchant"])
    created_at: WireTime


LoginEmail = Annotated[
    str, StringConstraints(pattern=r"^[^\x00]*$", max_length=254), Field(examples=["ada@shop.example"])
]
"""As long as an e-mail may be; one that is none is as wrong as an unknown one."""


class LoginRequest(RequestModel):
    email: LoginEmail
    password: ShortText = Field(examples=["correct-horse"])


class LoginAnswer(WireModel):
    access_token: str = Field(alias="access_token", examples=["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9…"])
    token_type: str = Field("bearer", alias="token_type")
    user_id: str = Field(examples=["user_019e6b0c9a2f0000c2a90d5e4f11"])
    role: Role = Field(examples=["merchant"])


class UserView(WireModel):
    id: str = Field(examples=["user_019e6b0c9a2f0000c2a90d5e4f11"])
    name: str = Field(examples=["Ada's Shop"])
    email: str = Field(examples=["ada@shop.example"])
    role: Role = Field(examples=["merchant"])
    created_at: WireTime


class RoleChangeRequest(RequestModel):
    new_role: GrantableRole = Field(alias="new_role", examples=["merchant"])


class RoleChangeAnswer(WireModel):
    message: str = Field(examples=["User role updated to 'merchant'"])
    user_id: str = Field(examples=["user_019e6b0c9a2f0000c2a90d5e4f11"])


class ProtectedAnswer(WireModel):
    message: str = Field(examples=["Access granted — authenticated user."])
    user_id: str = Field(examples=["user_019e6b0c9a2f0000c2a90d5e4f11"])
    role: Role = Field(examples=["user"])


class MessageAnswer(WireModel):
    message: str = Field(examples=["User 'user_019e6b0c9a2f0000c2a90d5e4f11' deleted successfully."])
