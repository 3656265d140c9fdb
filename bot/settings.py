"""Settings from the environment; the names are the contract's."""

from __future__ import annotations

import re
from datetime import time, timedelta
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.approvals.policy import known_approvers
from bot.approvals.sla import Zone


def _address_of_postgres(value: str) -> str:
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(value)
    except (ProgrammingError, UnicodeEncodeError):  # the text repeats the address, with the password
        raise ValueError(
            "this is not the address of a Postgres: write postgresql://user:password@host/database"
        ) from None
    # Postgres' own library takes what follows for the host or the port, and repeats it in its errors.
    if "@" in str(parts.get("host", "")) or not re.fullmatch(r"[\d,]*", str(parts.get("port", ""))):
        raise ValueError("write a password's @ as %40, its / as %2F, its : as %3A, and a port as a number")
    return value


def _address_of_slack(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", value):
        raise ValueError("write the whole address, such as https://slack.com/api/")
    return value


def _bare(value: object) -> object:
    """Drop what a file or a paste left around a secret: with a line's end no signature fits."""
    return value.strip() or None if isinstance(value, str) else value


def _grace(value: object, read: ValidatorFunctionWrapHandler) -> timedelta:
    try:
        grace: timedelta = read(value)
    except ValidationError:
        grace = timedelta(-1)
    if grace < timedelta(0):
        raise ValueError('write a duration such as "PT10M"')
    return grace


def _unset(value: object) -> None:
    if value is not None:
        raise ValueError("Signoff encrypts nothing itself: unset this, and encrypt the database's disk")


Secret = Annotated[SecretStr | None, BeforeValidator(_bare)]
Names = Annotated[tuple[str, ...], NoDecode]
Times = Annotated[tuple[time, ...], NoDecode]
Level = Annotated[Literal["debug", "info", "warning", "error", "critical"], BeforeValidator(str.lower)]
Postgres = Annotated[str, AfterValidator(_address_of_postgres)]


class Settings(BaseSettings):
    """What an operator can set. Unset tokens mean that the part they open is off."""

    # Not by the fields' own names: LOG_LEVEL, TIMEZONE or API_TOKENS may be there for something else.
    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    database_url: Postgres | None = Field(default=None, alias="DATABASE_URL")
    direct_database_url: Postgres | None = Field(default=None, alias="SIGNOFF_DIRECT_DATABASE_URL")
    slack_bot_token: Secret = Field(default=None, alias="SLACK_BOT_TOKEN")
    slack_app_token: Secret = Field(default=None, alias="SLACK_APP_TOKEN")
    slack_signing_secret: Secret = Field(default=None, alias="SLACK_SIGNING_SECRET")
    slack_api_url: Annotated[str, AfterValidator(_address_of_slack)] = Field(
        default="https://slack.com/api/", alias="SLACK_API_URL"
    )
    ops_channel: str = Field(default="", alias="SIGNOFF_OPS_CHANNEL")
    api_tokens: Annotated[dict[str, SecretStr], NoDecode] = Field(
        default_factory=dict, alias="SIGNOFF_API_TOKENS"
    )
    workflows: Names = Field(default=(), alias="SIGNOFF_WORKFLOWS")
    default_channel: str = Field(default="", alias="SIGNOFF_DEFAULT_CHANNEL")
    default_approvers: Annotated[Names, AfterValidator(known_approvers)] = Field(
        default=(), alias="SIGNOFF_DEFAULT_APPROVERS"
    )
    default_reply: Literal["dict", "bool", "text"] | None = Field(default=None, alias="SIGNOFF_DEFAULT_REPLY")
    sweep_seconds: float = Field(default=1.0, alias="SIGNOFF_SWEEP_SECONDS", gt=0, le=3600)
    grace: Annotated[timedelta, WrapValidator(_grace)] = Field(
        default=timedelta(minutes=10), alias="SIGNOFF_GRACE"
    )
    """After an outage of Slack nothing expires until Slack has been reachable for so long (ISO 8601)."""
    digest_times: Times = Field(default=(time(9), time(17)), alias="SIGNOFF_DIGEST_TIMES")
    timezone: Zone = Field(default="UTC", alias="SIGNOFF_TIMEZONE")
    host: str = Field(default="127.0.0.1", alias="HOST")
    port: int = Field(default=3000, alias="PORT", ge=0, le=65535)
    concurrency: int = Field(default=8, ge=1, le=200, alias="SIGNOFF_CONCURRENCY")
    encryption_key: Annotated[None, BeforeValidator(_unset)] = Field(
        default=None, alias="SIGNOFF_ENCRYPTION_KEY"
    )
    """Refused, so that nobody who sets it takes what is stored for encrypted."""
    log_format: Literal["", "json", "console"] = Field(default="", alias="SIGNOFF_LOG_FORMAT")
    log_level: Level = Field(default="info", alias="SIGNOFF_LOG_LEVEL")
    """The log is set up before there are settings, and reads this by itself; here a wrong one is refused."""

    @field_validator("workflows", "default_approvers", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("digest_times", mode="before")
    @classmethod
    def _times_of_day(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        times = [part.strip() for part in value.split(",") if part.strip()]
        if wrong := [part for part in times if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", part)]:
            raise ValueError(f"{wrong[0]!r} is not a time of day: write 09:00,17:00")
        return tuple(time.fromisoformat(part) for part in times)

    @field_validator("api_tokens", mode="before")
    @classmethod
    def _tokens(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        tokens: dict[str, str] = {}
        for part in filter(None, (part.strip() for part in value.split(","))):
            name, _, token = part.partition(":")
            if not name or len(token) < 8:
                raise ValueError("each must be name:token, with a token of 8 characters or more")
            if name in tokens:
                raise ValueError("each name may appear only once: of two tokens, only one would count")
            tokens[name] = token
        return tokens
