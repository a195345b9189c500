"""Every setting, read once from `RECADO_*` variables and checked before anything starts.

`docs/configuration.md` lists them; a test compares the page with `Config`.
"""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import fields

from recado.errors import ConfigError

MIN_SECRET_CHARS = 32

Port = Annotated[int, Meta(ge=1, le=65_535)]
Seconds = Annotated[float, Meta(gt=0, le=10 * 365 * 86_400)]
Count = Annotated[int, Meta(ge=0)]  # 0: no bound of its own
Size = Annotated[int, Meta(ge=1_024, le=1 << 30)]
Name = Annotated[str, Meta(pattern="^[A-Za-z0-9-]{0,16}$")]
Address = ipaddress.IPv4Network | ipaddress.IPv6Network


class Config(Struct, frozen=True, kw_only=True):
    """Field `x_y` is variable `RECADO_X_Y`. Lists are comma separated; times are in seconds, sizes in bytes."""

    secret: str
    database_url: str = "sqlite:///var/recado.db"
    redis_url: str | None = None
    cache_max_bytes: Annotated[int, Meta(ge=0, le=1 << 40)] = 128 << 20
    cache_max_age_s: Seconds = 600.0
    cache_audit: Count = 1_000
    host: str = "127.0.0.1"
    port: Port = 8000
    public_url: str = ""
    node: Name = ""
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"
    session_idle_s: Seconds = 86_400.0
    session_lifetime_s: Seconds = 2_592_000.0
    login_attempts: Annotated[int, Meta(ge=1)] = 10
    login_window_s: Seconds = 300.0
    whatsapp_url: str = "https://graph.facebook.com/v23.0"
    standin_url: str | None = None
    metrics_token: str | None = None
    outbox_give_up_s: Seconds = 86_400.0
    log_retention: Annotated[float, Meta(gt=0, le=36_500)] = 90.0
    drain_s: Seconds = 5.0
    websocket: Literal["picows", "asgi"] = "picows"
    io_uring: bool = True
    ping_interval_s: Seconds = 25.0
    ping_timeout_s: Seconds = 20.0
    connect_timeout_s: Seconds = 45.0
    head_timeout_s: Seconds = 10.0
    max_connections: Count = 20_000
    max_connections_per_address: Count = 0
    max_connections_per_member: Count = 0
    max_events_per_s: Count = 20_000
    max_in_flight: Annotated[int, Meta(ge=1, le=10_000)] = 32
    max_message_bytes: Size = 1_000_000
    max_outbound_bytes: Size = 1_048_576

    @property
    def base_url(self) -> str:
        """Where people open the app: `public_url`, or the address it listens on."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @property
    def proxy_networks(self) -> tuple[Address, ...]:
        return tuple(ipaddress.ip_network(text, strict=False) for text in self.trusted_proxies)

    def __repr__(self) -> str:
        return "<Config>"


def variable(field: str) -> str:
    return f"RECADO_{field.upper()}"


def load(environ: Mapping[str, str]) -> Config:
    """The settings in `environ`; the secret may instead stand in the file that RECADO_SECRET_FILE names.

    Raises ConfigError, one line that names the variable and never its value. An empty variable counts as unset.
    """
    hints = get_type_hints(Config, include_extras=True)
    values: dict[str, Any] = {}
    for field in fields(Config):
        text = environ.get(variable(field.name), "").strip()
        if not text and field.name == "secret":
            text = _secret_from_file(environ)
        if text:
            values[field.name] = _read(field.name, text, hints[field.name])
    if "secret" not in values:
        raise ConfigError(f"RECADO_SECRET: missing; give at least {MIN_SECRET_CHARS} random characters")
    config = Config(**values)
    _check(config)
    return config


def secret_file(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("RECADO_SECRET_FILE") or "var/secret")


def _secret_from_file(environ: Mapping[str, str]) -> str:
    try:
        return secret_file(environ).read_text("utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"RECADO_SECRET_FILE: cannot be read ({type(error).__name__})") from None


def _read(name: str, text: str, hint: Any) -> Any:
    raw: Any = [part.strip() for part in text.split(",") if part.strip()] if "tuple" in str(hint) else text
    try:
        return msgspec.convert(raw, hint, strict=False)
    except msgspec.ValidationError:
        raise ConfigError(f"{variable(name)}: must be {_expected(hint)}") from None


def _expected(hint: Any) -> str:
    text = str(hint)
    if "Literal" in text:
        return "one of " + ", ".join(hint.__args__)
    if hint is Port:
        return "a port number from 1 to 65535"
    if hint is Count:
        return "a whole number, 0 or more"
    if hint is Size:
        return "a number of bytes from 1024 to 1073741824"
    if hint is Name:
        return "at most 16 letters, digits and hyphens"
    if hint is bool:
        return "true or false"
    if "int" in text:
        return "a positive whole number"
    return "a positive number" if "float" in text else "text"


def _check(config: Config) -> None:
    """Rules that go beyond one field's type."""
    if len(config.secret) < MIN_SECRET_CHARS:
        raise ConfigError(f"RECADO_SECRET: too short; give at least {MIN_SECRET_CHARS} random characters")
    if not _is_database(config.database_url):
        raise ConfigError(
            "RECADO_DATABASE_URL: must be sqlite:///path/to/file.db or postgresql://user:password@host/database"
        )
    if config.redis_url is not None and urlsplit(config.redis_url).scheme not in {"redis", "rediss", "unix"}:
        raise ConfigError("RECADO_REDIS_URL: must start with redis://, rediss:// or unix://")
    for name in ("public_url", "whatsapp_url", "standin_url"):
        url = urlsplit(getattr(config, name) or "http://unset")
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ConfigError(f"{variable(name)}: must be an http:// or https:// address")
    for origin in config.allowed_origins:
        url = urlsplit(origin)
        if url.scheme not in {"http", "https"} or not url.hostname or url.path or url.query:
            raise ConfigError("RECADO_ALLOWED_ORIGINS: must be origins such as https://inbox.example")
    try:
        _ = config.proxy_networks
    except ValueError:
        raise ConfigError("RECADO_TRUSTED_PROXIES: must be IP addresses or networks") from None


def _is_database(text: str) -> bool:
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        return False
    if url.scheme == "sqlite":
        return text.startswith("sqlite:///") and url.path not in {"/", "/:memory:"} and "?" not in text
    return url.scheme in {"postgresql", "postgres"} and len(url.path) > 1
