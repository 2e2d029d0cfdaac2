"""Settings: from the environment, then `.env`, then what the caller passes in, then the defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from magnet_core.cast import Cast, Voice
from magnet_core.domain import FanOut
from magnet_core.errors import SettingsError
from magnet_core.models import REHEARSAL
from magnet_core.models.openai import check_url

ROOT = Path(__file__).parent.parent


class Settings(BaseSettings):
    """How the project is set up; make it with `settings()`."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, env_file_encoding="utf-8", hide_input_in_errors=True
    )

    api_key: SecretStr | None = Field(default=None, validation_alias="OPENAI_API_KEY")
    base_url: str = Field(default="", validation_alias="OPENAI_BASE_URL")
    api_version: str = Field(default="", validation_alias="MAGNET_AZURE_API_VERSION")
    model: str = Field(default=REHEARSAL, validation_alias="MAGNET_MODEL")
    temperature: float | None = Field(default=None, ge=0, le=2, validation_alias="MAGNET_TEMPERATURE")
    max_tokens: int | None = Field(default=None, ge=1, validation_alias="MAGNET_MAX_TOKENS")
    timeout: float = Field(default=60.0, gt=0, allow_inf_nan=False, validation_alias="MAGNET_TIMEOUT")
    fan_out: FanOut = Field(default="at-once", validation_alias="MAGNET_FAN_OUT")
    calls_in_flight: int = Field(default=64, ge=1, validation_alias="MAGNET_CALLS_IN_FLIGHT")
    otlp_endpoint: str = Field(default="", validation_alias="MAGNET_OTLP_ENDPOINT")
    """Where an OpenTelemetry collector listens, such as http://localhost:4318; empty sends nothing."""
    database_url: str = Field(
        default=f"sqlite:///{(ROOT / 'data' / 'magnet.db').as_posix()}", repr=False, validation_alias="MAGNET_DATABASE_URL"
    )

    @field_validator("base_url")
    @classmethod
    def _http(cls, url: str) -> str:
        try:
            return check_url(url)
        except SettingsError as error:
            raise ValueError(str(error)) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, dotenv_settings, init_settings

    def cast(self) -> Cast:
        """Return the cast these settings describe: one voice for every agent."""
        voice = Voice(
            model=self.model,
            base_url=self.base_url,
            api_key=self.api_key,
            api_version=self.api_version,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            timeout=self.timeout,
        )
        return Cast(default=voice, fan_out=self.fan_out, calls_in_flight=self.calls_in_flight)


def settings(env_file: Path | None = ROOT / ".env", **extra: Any) -> Settings:
    """Return the settings; `extra` holds values by the same names (say, of a secrets file) that the environment overrules.

    Raises `SettingsError` naming every value that does not fit.
    """
    given = {name.upper(): value for name, value in extra.items() if value not in ("", None)}
    problems = ""
    try:
        return Settings(_env_file=env_file, **given)  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        problems = "; ".join(f"{e['loc'][0]}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors())
    except (OSError, UnicodeDecodeError) as error:
        problems = f"{env_file}: {type(error).__name__}"
    raise SettingsError(f"These settings do not fit. {problems}.")
