"""For every test: a real clinic on a real database, and log lines as the product writes them.

A test that asks for `database_url`, as `stock` does, runs on every database. One that speaks of a single database says
so: `@pytest.mark.only("sqlite")`.
"""

import shutil

import pytest
import structlog

from e2e.processes import shared_server
from postgres import running_server
from recado import observe
from recado.store import guard
from recado.store.database import Database
from recado.store.migrate import upgrade
from stock import make_stock, writing_to

DATABASES = ("sqlite", "postgresql")

observe.configure("debug", "json")
# A cached logger keeps the processors of its first use, and then nothing captures it any more.
structlog.configure(cache_logger_on_first_use=False)


def pytest_generate_tests(metafunc):
    if "database_url" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("only")
        metafunc.parametrize("database_url", only.args if only else DATABASES, indirect=True)


@pytest.fixture(scope="session")
def postgres():
    """A running server for all tests that do not harm it."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory):
    """A migrated SQLite database; to copy it is quicker than to migrate another one."""
    return migrated(f"sqlite:///{tmp_path_factory.mktemp('migrated')}/recado.db")


@pytest.fixture(scope="session")
def migrated_template(postgres):
    """The name of a migrated PostgreSQL database, for the same reason. It refuses what the log does not tell."""
    return migrated(postgres.create_database(), guard.install)


def migrated(url, also=lambda _connection: None):
    database = Database(url)
    upgrade(database)
    database.write_now(also)
    database.close()
    return database.url.database


@pytest.fixture
def database_url(request, tmp_path):
    """The URL of a migrated database of the test's own, without rows."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "recado.db")
        yield f"sqlite:///{tmp_path}/recado.db"
        return
    server = request.getfixturevalue("postgres")
    url = server.create_database(template=request.getfixturevalue("migrated_template"))
    yield url
    server.drop_database(url)


@pytest.fixture
def empty(database_url, request, tmp_path):
    """The URL of a database without any table."""
    if database_url.startswith("postgresql:"):
        server = request.getfixturevalue("postgres")
        url = server.create_database()
        yield url
        server.drop_database(url)
    else:
        yield f"sqlite:///{tmp_path}/empty.db"


@pytest.fixture
def stock(database_url):
    """A migrated database with one clinic, a channel and a member."""
    made = make_stock(database_url)
    yield made
    made.database.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A whole Recado beside the test, with the demo's clinics, for all tests of a module: to start one takes seconds.

    A module whose tests must not meet each other's patients has one for each (`own_server` in e2e/).
    """
    with shared_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
async def writing(stock):
    """The stock with its writer running."""
    async with writing_to(stock):
        yield stock
