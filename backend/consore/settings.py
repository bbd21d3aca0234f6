"""What a site can set, read from `CONSORE_…` variables, then `consore.toml`, then defaults.

Everything that a node writes lies under `home`; two homes are two nodes.
"""

from __future__ import annotations

import os
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from consore.errors import ConfigurationError


class Settings(BaseSettings):
    """One node's settings. Every field `x` is also the variable `CONSORE_X` and the TOML key `x`."""

    model_config = SettingsConfigDict(env_prefix="CONSORE_", extra="forbid", validate_default=True)

    home: Path = Field(default=Path("~/.local/share/consore"), description="Folder of everything this node writes.")
    centre_code: str = Field(default="CENTRE", description="Short code of the centre, unique in the network.")
    centre_name: str = Field(default="Centre de lutte contre le cancer", description="Name shown to people.")
    centre_finess: str = Field(default="", description="FINESS number of the centre (9 digits).")
    referent_name: str = Field(default="", description="Medical referent whom other centres call.")
    referent_email: str = Field(default="", description="Address of the medical referent.")
    referent_phone: str = Field(default="", description="Telephone of the medical referent.")

    database_url: str = Field(default="", description="SQLAlchemy URL of the store; empty: SQLite under `home`.")
    typesense_url: str = Field(default="", description="URL of your Typesense; empty: `consore` starts its own.")
    typesense_api_key: SecretStr = Field(default=SecretStr(""), description="Key of your Typesense.")
    cache_dir: Path | None = Field(
        default=None, description="Folder for rebuilt files (engine binary, automaton); empty: `home`/cache."
    )
    referentials_dir: Path | None = Field(
        default=None, description="Folder of the code systems; empty: those shipped with Consore."
    )

    host: str = Field(default="127.0.0.1", description="Address that the API listens on.")
    port: int = Field(default=8400, ge=0, le=65535, description="Port that the API listens on; 0: a free one.")
    public_url: str = Field(default="", description="Address under which clients and peers reach this node.")
    graphiql: bool = Field(default=True, description="Serve the GraphiQL page at /graphql to browsers.")
    allowed_origins: list[str] = Field(default=[], description="Origins of web pages that may call the API.")

    upload_megabytes: int = Field(
        default=64, ge=1, le=1024, description="Largest file of a code system that an administrator may send."
    )

    access_token_minutes: int = Field(default=15, ge=1, description="Life of an access token.")
    refresh_token_hours: int = Field(default=12, ge=1, description="Life of a refresh token.")
    audit_months: int = Field(default=12, ge=6, le=12, description="Months an audit entry is kept (CNIL: 6–12).")

    federation_threshold: int = Field(
        default=10,
        ge=2,
        description="Counts below this are answered as `<threshold`, and all round up to it.",
    )
    federation_deadline_s: float = Field(default=5.0, gt=0, description="Seconds to wait for a peer.")
    federation_daily_quota: int = Field(default=200, ge=1, description="Questions a day that a peer may ask.")

    retry_first_s: float = Field(
        default=60, gt=0, description="Seconds until a failed run is tried again; each time twice as long."
    )
    retry_ceiling_s: float = Field(default=3600, gt=0, description="Most seconds between two tries of a failed run.")
    retry_most: int = Field(default=5, ge=0, le=50, description="Tries of a failed run before it is told as an alert.")
    alert_webhook: str = Field(default="", description="URL that alerts are posted to as JSON; empty: none.")
    alert_webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="Secret that signs what is posted there (HMAC-SHA256)."
    )
    alert_webhook_timeout_s: float = Field(default=5.0, gt=0, le=60, description="Seconds to wait for the webhook.")
    alert_webhook_retry_s: float = Field(
        default=30, gt=0, description="Seconds until an alert is posted again; each time twice as long, for a day."
    )
    alert_late_hours: float = Field(
        default=6, gt=0, description="Hours after which a source that should have been read is told as late."
    )
    alert_rejected_percent: float = Field(
        default=5, gt=0, le=100, description="Share of rejected records that is told, where it is thrice the usual."
    )

    read_processes: int = Field(default=0, ge=0, description="Processes that read documents; 0: one a core.")
    language_profile: str = Field(default="fast", description="Reading profile: `fast`.")
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR.")

    @field_validator("home", "cache_dir", "referentials_dir")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().resolve() if value else None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings

    @cached_property
    def store_url(self) -> str:
        """SQLAlchemy URL of the store of record."""
        return self.database_url or f"sqlite:///{self.home / 'consore.db'}"

    @cached_property
    def cache(self) -> Path:
        """Folder of files that can be rebuilt at any time."""
        return self.cache_dir or self.home / "cache"

    @cached_property
    def referentials(self) -> Path:
        """Folder of the code systems in force."""
        return self.referentials_dir or shipped_referentials()

    @cached_property
    def site_referentials(self) -> Path:
        """Folder of the site's own: imported editions of the code systems, and its own words."""
        return self.home / "referentials"

    @cached_property
    def address(self) -> str:
        """URL under which this node is reached."""
        return self.public_url or f"http://{self.host}:{self.port}"


def load_settings(home: Path | None = None, **overrides: Any) -> Settings:
    """Settings of the node at `home` (else `CONSORE_HOME`, else the default one).

    Raises ConfigurationError naming the field and the file at fault.
    """
    folder = Path(home or os.environ.get("CONSORE_HOME") or "~/.local/share/consore").expanduser().resolve()
    file = folder / "consore.toml"
    values: dict[str, Any] = {}
    if file.exists():
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{file} is not valid TOML: {error}.", "Mend that line.") from error
    from_environment = {name.lower() for name in os.environ}
    values = {key: value for key, value in values.items() if f"consore_{key}" not in from_environment}
    try:
        return Settings(**{**values, "home": folder, **overrides})
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(
            f"A setting cannot be used: {problems}.",
            f"Mend it in {file} or in the CONSORE_… variable of that name.",
        ) from error


def shipped_referentials() -> Path:
    """The code systems that come with Consore: inside the wheel, else beside the sources."""
    packaged = Path(__file__).parent / "referentials" / "data"
    return packaged if packaged.exists() else Path(__file__).parents[2] / "referentials"
