"""The demo: made once, the same every time it is printed, other keys for every secret."""

import json
from functools import partial

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import text

from recado.app.demo import DemoMaker
from recado.app.passwords import Passwords
from recado.domain.clinic_commands import UpdateClinic
from recado.domain.instants import seconds_between
from recado.store import accounts, inbox, lists
from recado.store.batch import carry_out
from recado.store.clinic import clinics_by_id
from recado.store.database import Database
from recado.store.migrate import upgrade

SECRET = "s" * 40
STANDIN = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def passwords():
    made = Passwords()
    yield made
    made.close()


@pytest.fixture
def database(tmp_path):
    made = Database(f"sqlite:///{tmp_path}/demo.db")
    upgrade(made)
    yield made
    made.close()


@pytest.fixture
def make(database, passwords, stock):
    def make(standin_url=STANDIN, secret=SECRET, into=database):
        return DemoMaker(into, passwords, secret, stock.sources).make("http://127.0.0.1:8000", standin_url)

    return make


def everything(database):
    tables = (
        "clinics",
        "members",
        "memberships",
        "clinic_settings",
        "channels",
        "conversations",
        "messages",
        "events",
        "outbox",
    )
    return database.read_now(
        lambda c: {name: c.execute(text(f"SELECT * FROM {name}")).all() for name in tables}
    )


def list_of(database, clinic_id, member_id=""):
    return database.read_now(lambda c: lists.conversation_page(c, clinic_id, member_id, 100, None))


def test_the_demo_has_the_promised_people_channels_and_conversations(make, database):
    demo = make()
    first, second = sorted({member.clinic_id for member in demo.members})
    assert [(m.clinic_id, m.role) for m in demo.members] == [
        (first, "admin"),
        (first, "agent"),
        (second, "admin"),
    ]
    assert [(c.clinic_id, c.kind) for c in demo.channels] == [
        (clinic_id, kind) for clinic_id in (first, second) for kind in ("generic", "whatsapp")
    ]
    assert demo.channels[1].phone_number_id == "106540352242922"
    page = list_of(database, first)
    assert len(page.items) == 6
    for row in page.items:
        said = database.read_now(lambda c, id_=row.id: inbox.message_page(c, first, id_, 100))
        assert len(said.items) == 25
        assert [item.created_at for item in said.items] == sorted(
            (item.created_at for item in said.items), reverse=True
        )
    assert list_of(database, second).items == []


def test_nothing_of_the_demo_waits_to_leave(make, database):
    make()
    assert everything(database)["outbox"] == []


def test_what_was_answered_was_read(make, database):
    demo = make()
    for member in demo.members[:2]:
        found = database.read_now(partial(accounts.credentials_of, email=member.email))
        page = list_of(database, member.clinic_id, found.member_id)
        marks = {mark.conversation_id: mark.inbound_read for mark in page.reads}
        unread = [row.inbound_count - marks.get(row.id, 0) for row in page.items]
        waiting = [row.waiting_since is not None for row in page.items]
        assert [count > 0 for count in unread] == waiting
        assert 0 < sum(unread) < 15


def test_the_newest_conversation_is_minutes_old(make, database, stock):
    make()
    page = list_of(database, 1)
    assert 0 < seconds_between(page.items[0].last_message.at, stock.sources.now()) < 600


def test_making_it_again_changes_nothing(make, database):
    demo, before = make(), everything(database)
    assert make() == demo
    assert make(standin_url=None) == demo
    assert everything(database) == before


def test_its_clinics_keep_labels_canned_replies_hours_and_a_waiting_limit(make, database):
    make()
    kept = database.read_now(lambda c: clinics_by_id(c, [1, 2]))
    for clinic in kept.values():
        assert len(clinic.labels) >= 5
        assert {reply.shortcut for reply in clinic.canned_replies} >= {"bomdia", "horarios"}
        assert (clinic.waiting_limit_minutes, clinic.hours.time_zone) == (15, "America/Sao_Paulo")
        assert clinic.version > 0


def test_what_was_changed_since_stays(make, database, stock):
    make()
    change = UpdateClinic(clinic_id=1, waiting_limit_minutes=None, labels=())
    database.write_now(lambda c: carry_out(c, [change], stock.sources))
    make()
    assert database.read_now(lambda c: clinics_by_id(c, [1]))[1].labels == ()


def test_the_channels_follow_the_stand_in(make, database):
    make()
    make(standin_url="http://127.0.0.1:10")
    urls = [channel.outbound_url for channel in database.read_now(lambda c: accounts.channels_of(c, 1))]
    assert all(url.startswith("http://127.0.0.1:10/") for url in urls)


@pytest.mark.parametrize("changed", [{"name": "Instagram"}, {"secret": "another"}], ids=str)
def test_a_channel_that_was_changed_stays_the_demos(make, database, changed):
    first = make().channels[0].id
    [channel] = [c for c in database.read_now(lambda c: accounts.channels_of(c, 1)) if c.id == first]
    database.write_now(lambda c: accounts.put_channel(c, replace(channel, **changed)))
    assert make().channels[0].id == first
    assert len(database.read_now(lambda c: accounts.channels_of(c, 1))) == 2


def test_another_secret_means_other_passwords_and_keys(make, stock):
    ours, theirs = make(), make(secret="t" * 40, into=stock.database)
    for mine, other in zip(ours.members, theirs.members, strict=True):
        assert mine.password != other.password
    assert {c.secret for c in ours.channels}.isdisjoint(c.secret for c in theirs.channels)


def test_its_json_has_the_promised_names(make):
    demo = json.loads(msgspec.json.encode(make()))
    assert set(demo) == {"url", "members", "channels"}
    assert {"clinicId", "email", "password", "role"} <= set(demo["members"][0])
    for channel in demo["channels"]:
        assert set(channel) == {"clinicId", "id", "kind", "secret", "verifyToken", "phoneNumberId"}
