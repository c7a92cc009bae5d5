"""Every setting, read once from the environment and ``.env``, and checked before anything starts."""

import json
import os
import secrets
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gateway.errors import StartupError
from gateway.kit.secretbox import SecretBox

MEMORY_URL = "memory://"
_MIN_SECRET_LENGTH = 32
_MIN_DISTINCT_CHARACTERS = 10
_SECRETS_FILE = "secrets.json"
_YEAR = 31_536_000

_Seconds = Annotated[float, Field(gt=0, le=_YEAR)]
_WholeSeconds = Annotated[int, Field(gt=0, le=_YEAR)]


class Settings(BaseSettings):
    """The gateway's configuration; each field is the environment variable of its name.

    Times are seconds. ``Settings.load`` also supplies the two secrets where they may be made up.
    """

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", hide_input_in_errors=True, allow_inf_nan=False
    )

    environment: Literal["development", "production"] = "development"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    workers: PositiveInt = 1
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "json", "console"] = "auto"
    max_body_bytes: PositiveInt = 262_144

    mongodb_url: str = Field("", repr=False)
    mongodb_database: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,63}$")] = "gateway"
    gateway_data_dir: Path = Path("data")
    store_timeout_seconds: _Seconds = 5.0
    store_max_waiting: PositiveInt = 2000
    store_max_group: Annotated[int, Field(ge=1, le=100)] = 64
    mongod_cache_mb: Annotated[int, Field(ge=256)] = 512

    admin_email: str = "admin@system.local"
    admin_password: SecretStr = SecretStr("")

    jwt_secret: SecretStr = SecretStr("")
    jwt_lifetime_seconds: _WholeSeconds = 7200
    encryption_key: SecretStr = SecretStr("")
    password_hash_rounds: Annotated[int, Field(ge=4, le=16)] = 12
    signature_tolerance_seconds: _WholeSeconds = 300
    idempotency_retention_seconds: Annotated[int, Field(ge=86_400, le=_YEAR)] = 86_400

    payment_delay_seconds: Annotated[float, Field(ge=0, le=_YEAR)] = 5.0
    webhook_timeout_seconds: _Seconds = 10.0
    webhook_retry_seconds: Annotated[tuple[_Seconds, ...], NoDecode] = (5, 30, 120, 600, 3600, 21_600)
    webhook_retry_jitter: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    webhook_concurrency: PositiveInt = 64
    webhook_concurrency_per_owner: PositiveInt = 8
    worker_poll_seconds: _Seconds = 0.25
    worker_lease_seconds: _Seconds = 10.0

    @field_validator("webhook_retry_seconds", mode="before")
    @classmethod
    def _split_list(cls, value: object) -> object:
        return value.split(",") if isinstance(value, str) else value

    @field_validator("admin_password")
    @classmethod
    def _check_admin_password(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and not 8 <= len(value.get_secret_value()) <= 64:
            raise ValueError("must have 8 to 64 characters")
        return value

    @classmethod
    def load(cls) -> Self:
        """Read the settings, refuse weak secrets in production, supply missing ones elsewhere.

        Raises:
            StartupError: a value that can't be used, told in one line without the value.
        """
        try:
            settings = cls()
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]).upper() if first["loc"] else "settings"
            raise StartupError(f"{name}: {first['msg']}") from error
        except UnicodeDecodeError as error:
            raise StartupError(".env can't be read: it is not UTF-8 text") from error
        if settings.environment == "production":
            settings._refuse_weak_secrets()
        return settings._with_secrets()

    @cached_property
    def secret_box(self) -> SecretBox:
        return SecretBox(self.encryption_key.get_secret_value())

    @property
    def in_memory(self) -> bool:
        return self.mongodb_url == MEMORY_URL

    def _refuse_weak_secrets(self) -> None:
        for name in ("jwt_secret", "encryption_key"):
            secret = getattr(self, name).get_secret_value()
            if len(secret) < _MIN_SECRET_LENGTH or len(set(secret)) < _MIN_DISTINCT_CHARACTERS:
                raise StartupError(
                    f"{name.upper()} is missing or weak: production needs at least "
                    f"{_MIN_SECRET_LENGTH} characters, e.g. from `openssl rand -hex 32`"
                )

    def _with_secrets(self) -> Self:
        missing = [n for n in ("jwt_secret", "encryption_key") if not getattr(self, n).get_secret_value()]
        if not missing:
            return self
        made = _new_secrets() if self.in_memory else _stored_secrets(self.gateway_data_dir)
        return self.model_copy(update={name: SecretStr(made[name]) for name in missing})


def ensure_data_dir(folder: Path) -> None:
    """Create the data folder, readable by its owner alone.

    Raises:
        StartupError: it cannot be created or written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise StartupError(f"the data folder {folder} can't be written: {error.strerror}") from error


def _new_secrets() -> dict[str, str]:
    return {"jwt_secret": secrets.token_hex(32), "encryption_key": secrets.token_hex(32)}


def _stored_secrets(folder: Path) -> dict[str, str]:
    """The development secrets of this data folder, made on first use.

    The file appears whole or not at all, so that two first starts at once agree on one.
    """
    ensure_data_dir(folder)
    path = folder / _SECRETS_FILE
    draft = folder / f".{_SECRETS_FILE}.{os.getpid()}.{secrets.token_hex(4)}"
    try:
        if not path.exists():
            draft.touch(0o600, exist_ok=False)
            with draft.open("w") as file:
                json.dump(_new_secrets(), file)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        stored = json.loads(path.read_text())
        return {name: str(stored[name]) for name in ("jwt_secret", "encryption_key")}
    except OSError as error:
        raise StartupError(f"the data folder {folder} can't be written: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StartupError(
            f"{path} is damaged: restore it, or delete it with the data it protects"
        ) from error
