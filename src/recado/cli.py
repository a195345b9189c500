"""The command line: serve, migrate, backup, restore, demo, clinic, channel and member, cache, guard, simulate, standin.

Every failure is one line on standard error and exit code 1; what is no command or option, 2. docs/operations.md.
"""

import asyncio
import os
import random
import secrets
import shlex
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec
import psycopg
import uvicorn
from msgspec import UNSET
from sqlalchemy.exc import DBAPIError

from recado import __version__, config, observe, server
from recado.app import administration
from recado.app.channels import webhook_address
from recado.app.demo import Demo, DemoMaker
from recado.app.passwords import Passwords
from recado.channels.patient_words import Patient, PatientChannel
from recado.channels.patients import MAX_PATIENTS, Report, play
from recado.channels.standin import create_standin
from recado.config import Config
from recado.domain.values import ChannelId, ChannelKind, ClinicId, Role
from recado.errors import RecadoError, UnavailableError
from recado.store import guard
from recado.store.backup import backup, restore
from recado.store.database import Database
from recado.store.migrate import is_missing, upgrade


class OneLine(click.Group):
    """Commands whose refusals are one line, not a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UnavailableError as error:
            raise click.ClickException(f"{error} ({observe.reason(error)})") from None
        except RecadoError as error:
            raise click.ClickException(str(error)) from None
        except (DBAPIError, sqlite3.Error, psycopg.Error) as error:
            raise click.ClickException(f"the database refuses ({observe.reason(error)})") from None


of_clinic = click.option(
    "--clinic", "clinic_id", type=click.IntRange(1, 2**31 - 1), required=True, help="The clinic's id."
)


@click.group(cls=OneLine)
@click.version_option(__version__, prog_name="recado")
def main() -> None:
    """Recado: a real-time conversation inbox for clinics. Settings are RECADO_* variables."""


@main.command()
@click.option(
    "--demo", is_flag=True, help="Make the demo's clinics first, with a stand-in for the providers."
)
def serve(*, demo: bool) -> None:
    """Serve the inbox until SIGTERM or Ctrl-C."""
    settings = _load(generate_secret=demo)
    with server.listen(settings) as listening, ExitStack() as stack:
        if demo:
            made = _make_demo(settings, stack.enter_context(_standin(settings)))
            click.echo(_welcome(made, _curl(made)))
        server.run(settings, listening)


@main.command()
@click.option("--check", is_flag=True, help="Change nothing; exit code 1 when migrations are missing.")
def migrate(*, check: bool) -> None:
    """Bring the database to this version's schema."""
    with _database(_load(), check=check):
        click.echo("The database has this version's schema.")


@main.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup_command(file: Path) -> None:
    """Write a copy of the database to FILE; a running server goes on."""
    with closing(Database(_load().database_url)) as database:
        backup(database, file)


@main.command("restore")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.confirmation_option(prompt="Everything in the database is replaced. Go on?")
def restore_command(file: Path) -> None:
    """Put the copy in FILE in place of the database, which nobody may be serving."""
    with closing(Database(_load().database_url)) as database:
        restore(database, file, secrets.token_hex(8))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, for programs.")
def demo(*, as_json: bool) -> None:
    """Make the demo's clinics, once, and print how to get in."""
    settings = _load(generate_secret=True)
    made = _make_demo(settings, settings.standin_url)
    click.echo(msgspec.json.format(msgspec.json.encode(made)).decode() if as_json else _welcome(made))


@main.group()
def clinic() -> None:
    """Clinics."""


@clinic.command("add")
@click.argument("name")
def clinic_add(name: str) -> None:
    """Add a clinic and print its id."""
    with _database(_load()) as database:
        click.echo(administration.add_clinic(database, name, server.now()))


@main.group()
def channel() -> None:
    """Clinics' ways to their patients."""


@channel.command("add")
@of_clinic
@click.option("--kind", type=click.Choice(["generic", "whatsapp"]), required=True)
@click.option("--name", required=True)
@click.option("--phone-number-id", help="Of WhatsApp.")
@click.option("--outbound-url", help="Where replies go.")
def channel_add(
    clinic_id: int, kind: ChannelKind, name: str, phone_number_id: str | None, outbound_url: str | None
) -> None:
    """Add a channel; print its id, its webhook address, and the secret or verify token that was made."""
    new = administration.NewChannel(
        clinic_id=ClinicId(clinic_id),
        kind=kind,
        name=name,
        phone_number_id=phone_number_id,
        outbound_url=outbound_url,
    )
    settings = _load()
    with _database(settings) as database:
        made = administration.add_channel(database, new, server.SOURCES, secrets.token_bytes)
    click.echo(made.id)
    click.echo(webhook_address(settings.base_url, made))
    click.echo(made.verify_token or made.secret)


@channel.command("list")
@of_clinic
def channel_list(clinic_id: int) -> None:
    """Print the clinic's channels, without their keys."""
    settings = _load()
    with _database(settings) as database:
        known = administration.channels_of(database, ClinicId(clinic_id))
    for each, last_in, last_out in known:
        state = "on" if each.active else "off"
        used = f"in {last_in or '-'}  out {last_out or '-'}"
        click.echo(f"{each.id}  {each.kind:<8}  {state:<3}  {used}  {each.name}")
        click.echo(f"  {webhook_address(settings.base_url, each)}")


@channel.command("update")
@of_clinic
@click.option("--channel", "channel_id", required=True, help="The channel's id.")
@click.option("--outbound-url", help="Where replies go: any address, one of your own network too.")
@click.option("--active/--inactive", default=None, help="Switch it on again, or off.")
def channel_update(clinic_id: int, channel_id: str, outbound_url: str | None, *, active: bool | None) -> None:
    """Change where a channel's replies go, or switch it off."""
    with _database(_load()) as database:
        administration.update_channel(
            database,
            ClinicId(clinic_id),
            ChannelId(channel_id),
            server.SOURCES,
            outbound_url=UNSET if outbound_url is None else outbound_url,
            active=UNSET if active is None else active,
        )


@main.group()
def member() -> None:
    """Members of clinics."""


@member.command("add")
@of_clinic
@click.option("--email", required=True)
@click.option("--name", required=True)
@click.option("--role", type=click.Choice(["admin", "agent"]), default="agent", show_default=True)
@click.password_option(help="Asked for when left out. A member of another clinic keeps theirs.")
def member_add(clinic_id: int, email: str, name: str, role: Role, password: str) -> None:
    """Add a member to a clinic and print their id."""
    new = administration.NewMember(
        clinic_id=ClinicId(clinic_id), email=email, name=name, role=role, password=password
    )
    with _database(_load()) as database, closing(Passwords()) as passwords:
        click.echo(administration.add_member(database, passwords, new, server.SOURCES))


@member.command("update")
@of_clinic
@click.option("--email", required=True)
@click.option("--role", type=click.Choice(["admin", "agent"]), help="Another role.")
@click.option("--active/--inactive", default=None, help="Give the access back, or take it away.")
def member_update(clinic_id: int, email: str, role: Role | None, *, active: bool | None) -> None:
    """Change a member's role or access; what they wrote stays theirs."""
    with _database(_load()) as database:
        administration.update_member(
            database,
            ClinicId(clinic_id),
            email,
            server.SOURCES,
            role=UNSET if role is None else role,
            active=UNSET if active is None else active,
        )


@member.command("reset-password")
@click.option("--email", required=True)
@click.password_option(help="Asked for when left out.")
def member_reset_password(email: str, password: str) -> None:
    """Give a member another password and end all their sessions."""
    with _database(_load()) as database, closing(Passwords()) as passwords:
        administration.reset_password(database, passwords, email, password, server.SOURCES)


@main.group()
def cache() -> None:
    """What servers keep in memory and in Redis."""


@cache.command("invalidate")
@click.argument("pattern")
def cache_invalidate(pattern: str) -> None:
    """Make every server load anew what PATTERN names: 'clinic:42:*', all of the clinic with this id."""
    with _database(_load()) as database:
        administration.invalidate_cache(database, pattern, server.SOURCES)


@main.command("guard")
@click.argument("state", type=click.Choice(["on", "off"]))
def guard_command(state: str) -> None:
    """Have PostgreSQL refuse changes that the log does not tell: for staging."""
    with _database(_load()) as database:
        database.write_now(guard.install if state == "on" else guard.remove)


@main.command()
@click.option("--port", type=click.IntRange(1, 65_535), required=True)
def standin(port: int) -> None:
    """Run a stand-in for the patients' providers: it takes what replies send, and tells what it took."""
    observe.configure("info", "console")
    try:
        listening = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise click.ClickException(f"--port: cannot listen there ({error.strerror})") from None
    _standin_server().run(sockets=[listening])


@main.command()
@click.option("--patients", type=click.IntRange(1, MAX_PATIENTS), default=8, show_default=True)
@click.option("--rate", type=click.FloatRange(0, 1000, min_open=True), default=2.0, show_default=True)
@click.option("--seconds", type=click.FloatRange(0, 3600, min_open=True), default=60.0, show_default=True)
def simulate(patients: int, rate: float, seconds: float) -> None:
    """Play patients of the demo's first clinic: RATE signed webhooks a second, to a server that is running."""
    settings = _load(generate_secret=True)
    made = _make_demo(settings, None)
    report = asyncio.run(
        play(
            _patient_channels(made),
            made.url,
            patients=patients,
            rate=rate,
            seconds=seconds,
            random=random.SystemRandom(),
            clock=time.time,
            on_progress=_tell,
        )
    )
    if not report.accepted and report.unanswered:
        raise click.ClickException(f"nobody answers at {made.url}; start the server with `make run`")


def _load(*, generate_secret: bool = False) -> Config:
    """The settings; the demo may write the secret they lack, once, into RECADO_SECRET_FILE."""
    if generate_secret and not os.environ.get("RECADO_SECRET"):
        _generate_secret(config.secret_file(os.environ))
    settings = config.load(os.environ)
    observe.configure(settings.log_level, settings.log_format)
    return settings


def _generate_secret(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return
    with os.fdopen(file, "w") as secret:
        secret.write(secrets.token_urlsafe(48) + "\n")


@contextmanager
def _database(settings: Config, *, check: bool = False) -> Iterator[Database]:
    """With this version's schema; `check` refuses one that lacks something instead of adding it."""
    database = Database(settings.database_url)
    try:
        if not check:
            upgrade(database)
        elif is_missing(database):
            raise click.ClickException("Migrations are missing: run `recado migrate`.")
        yield database
    finally:
        database.close()


def _make_demo(settings: Config, standin_url: str | None) -> Demo:
    with _database(settings) as database, closing(Passwords()) as passwords:
        maker = DemoMaker(database, passwords, settings.secret, server.SOURCES)
        return maker.make(settings.base_url, standin_url)


@contextmanager
def _standin(settings: Config) -> Iterator[str]:
    """The stand-in's address: the one that is set, or that of one in a thread of this process."""
    if settings.standin_url:
        yield settings.standin_url
        return
    listening = socket.create_server(("127.0.0.1", 0))
    standin = _standin_server()
    thread = threading.Thread(target=standin.run, kwargs={"sockets": [listening]}, name="recado-standin")
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        standin.should_exit = True
        thread.join()


def _standin_server() -> uvicorn.Server:
    return uvicorn.Server(uvicorn.Config(create_standin(), log_config=None, access_log=False, lifespan="off"))


def _curl(made: Demo) -> str:
    """A line for a shell that makes a patient of the first clinic write, once."""
    channel = next(channel for channel in _patient_channels(made) if channel.kind == "whatsapp")
    patient = Patient(0, channel)
    delivery = patient.write(random.SystemRandom(), time.time(), "Olá! Vocês têm horário amanhã de manhã?")
    headers = delivery.headers(time.time())
    options = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    return shlex.join(["curl", made.url + delivery.path, *options, "-d", delivery.body.decode()])


def _patient_channels(made: Demo) -> list[PatientChannel]:
    """The first clinic's: those whose screens a newcomer looks at."""
    clinic_id = made.members[0].clinic_id
    return [
        PatientChannel(id=each.id, kind=each.kind, secret=each.secret, phone_number_id=each.phone_number_id)
        for each in made.channels
        if each.clinic_id == clinic_id
    ]


def _tell(report: Report) -> None:
    latency = "".join(f"  {name} {value} ms" for name, value in report.latency_ms.items())
    trouble = sum(report.refused.values()) + report.unanswered
    click.echo(
        f"{report.seconds:6.1f} s  {report.accepted} new  {report.repeated} repeated  {trouble} not taken{latency}"
    )


def _command() -> str:
    """What somebody who started us types to start us again; a venv's folder is on few people's PATH."""
    return os.path.relpath(sys.argv[0]) if os.sep in sys.argv[0] else sys.argv[0]


def _welcome(made: Demo, curl: str | None = None) -> str:
    lines = ["", f"  Recado {__version__}  {made.url}", ""]
    lines += [
        f"  {each.email:<24}{each.password:<28}{each.role:<8}clinic {each.clinic_id}" for each in made.members
    ]
    if curl:
        lines += [
            "",
            "  A patient writes (the same line again changes nothing: a provider may repeat itself):",
            "",
            curl,
            "",
            f"  Many patients: {_command()} simulate --patients 8 --rate 2 --seconds 60",
        ]
    return "\n".join([*lines, ""])
