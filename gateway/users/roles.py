from enum import StrEnum


class Role(StrEnum):
    """What a person may do, lowest first."""

    USER = "user"
    MERCHANT = "merchant"
    ADMIN = "admin"
    SYSTEM_ADMIN = "system_admin"
