"""The law: old snapshot + packets or deltas, in any order and repeated = fresh snapshot."""

import asyncio
import random

import pytest
from msgspec.structs import replace

from recado.domain.clinic import BusinessHours, CannedReply, Label, OpenHours
from recado.domain.clinic_commands import (
    AddChannel,
    ChangePassword,
    InvalidateCache,
    ResetPassword,
    RotateSecret,
    UpdateChannel,
    UpdateClinic,
    UpdateMember,
)
from recado.domain.commands import (
    DeleteConversation,
    DeleteMessage,
    EditMessage,
    MarkRead,
    RenameContact,
    UpdateConversation,
)
from recado.domain.cursor import parse_cursor
from recado.domain.packets import (
    CLINIC_EVENTS,
    ClinicPacket,
    ConversationPacket,
    MessagePacket,
    Packet,
    ReadPacket,
    TickPacket,
    packets,
)
from recado.errors import RefusedError
from recado.store import deltas, inbox, lists
from recado.store.batch import Outcome
from recado.store.clinic import clinics_by_id


class Screen:
    """What a member's client holds: rows by identity, of which a newer version wins. docs/events.md, "Ingest"."""

    def __init__(self, member_id) -> None:
        self.member_id = member_id
        self.conversations = {}
        self.messages = {}
        self.reads = {}
        self.clinic = None

    def ingest(self, conversations=(), messages=(), reads=(), clinic=None) -> None:
        if clinic and (self.clinic is None or self.clinic.version < clinic.version):
            self.clinic = clinic
        mine = [mark for mark in reads if mark.member_id == self.member_id]
        for held, rows, key in (
            (self.conversations, conversations, "id"),
            (self.messages, messages, "id"),
            (self.reads, mine, "conversation_id"),
        ):
            for row in rows:
                known = held.get(getattr(row, key))
                if known is None or known.version < row.version:
                    held[getattr(row, key)] = row

    def hear(self, payload) -> None:
        match payload:
            case MessagePacket():
                self.ingest(messages=[payload.message])
            case ConversationPacket():
                self.ingest(conversations=[payload.conversation])
            case ReadPacket():
                self.ingest(reads=[payload.read])
            case ClinicPacket():
                self.ingest(clinic=payload.clinic)

    def shown(self):
        """What the member sees: a deleted conversation takes its messages and marks with it."""
        live = {id_: row for id_, row in self.conversations.items() if not row.deleted}
        said = {id_: row for id_, row in self.messages.items() if row.conversation_id in live}
        return live, said, {id_: mark for id_, mark in self.reads.items() if id_ in live}, self.clinic


def snapshot(stock) -> Screen:
    screen = Screen(stock.member_id)

    def read(connection) -> None:
        page = lists.conversation_page(connection, stock.clinic_id, stock.member_id, 100, None)
        screen.ingest(conversations=page.items, reads=page.reads)
        screen.ingest(clinic=clinics_by_id(connection, [stock.clinic_id])[stock.clinic_id])
        for row in page.items:
            said = inbox.message_page(connection, stock.clinic_id, row.id, 1000)
            screen.ingest(messages=said.items)

    stock.database.read_now(read)
    return screen


def any_order(stock, rng, conversation):
    """Something a member might do with this conversation, sensible or not."""
    id_ = conversation.id
    said = [told.message.id for told in stock.talked if told.message and told.conversation.id == id_]
    version = rng.choice([None, conversation.version])
    return rng.choice(
        [
            lambda: stock.reply(id_, kind=rng.choice(["message", "note"])),
            lambda: stock.order(EditMessage, message_id=rng.choice(said), body=f"texto {rng.random()}"),
            lambda: stock.order(DeleteMessage, message_id=rng.choice(said)),
            lambda: stock.order(MarkRead, conversation_id=id_, up_to=rng.randrange(60)),
            lambda: stock.order(
                UpdateConversation,
                conversation_id=id_,
                status=rng.choice(["open", "pending", "resolved"]),
                assignee_id=rng.choice([None, stock.member_id]),
                labels=tuple(rng.sample(["exame", "retorno", "convênio"], rng.randrange(3))),
                expected_version=version,
            ),
            lambda: stock.order(
                UpdateConversation,
                conversation_id=id_,
                status="snoozed",
                snoozed_until="2999-01-01T00:00:00.000Z",
            ),
            lambda: stock.order(RenameContact, conversation_id=id_, name=f"Nome {rng.random()}"),
        ]
        + [lambda: stock.order(DeleteConversation, conversation_id=id_)] * (rng.random() < 0.2)
    )()


def any_settling(stock, rng):
    """Something an admin might do with the clinic, sensible or not."""
    seen = snapshot(stock).clinic
    whom = rng.choice(seen.members).id
    by = rng.choice([stock.member_id, None])
    version = rng.choice([None, seen.version])
    names = rng.sample(["exame", "retorno", "convênio"], rng.randrange(4))
    password = {"whom": whom, "clinic_ids": frozenset({stock.clinic_id}), "password_hash": "no-hash"}
    settings = rng.choice(
        [
            {"name": f"Clínica {rng.randrange(3)}"},
            {"labels": tuple(Label(name=name, colour="#3867b0") for name in names)},
            {"canned_replies": (CannedReply(shortcut="oi", title="Oi", body=f"Olá {rng.random()}"),)},
            {"waiting_limit_minutes": rng.choice([None, 10, 20]), "hours": None},
            {
                "hours": BusinessHours(
                    time_zone="America/Sao_Paulo",
                    weekly=(OpenHours(day=rng.randrange(1, 8), opens="08:00", closes="18:00"),),
                )
            },
        ]
    )
    fresh = {"fresh_secret": f"whsec_{rng.randrange(3)}", "fresh_verify_token": f"token-{rng.randrange(3)}"}
    return rng.choice(
        [
            *[lambda: stock.settle(UpdateClinic, member_id=by, expected_version=version, **settings)] * 2,
            lambda: stock.invitation(f"m{rng.randrange(9)}@clinica.example", member_id=by),
            lambda: stock.settle(
                UpdateMember,
                member_id=by,
                whom=whom,
                role=rng.choice(["admin", "agent"]),
                active=rng.choice([True, True, False]),
            ),
            lambda: stock.settle(ResetPassword, member_id=None, **password),
            lambda: stock.settle(
                ChangePassword,
                **password | {"whom": stock.member_id},
                verified_hash="no-hash",
                kept_session_id="s",
            ),
            lambda: stock.settle(
                AddChannel,
                member_id=by,
                channel_id=stock.sources.new_id(),
                kind="generic",
                name="Site",
                **fresh,
            ),
            lambda: stock.settle(InvalidateCache, member_id=by, pattern=f"clinic:{stock.clinic_id}:*"),
            lambda: stock.settle(RotateSecret, member_id=by, channel_id=stock.channel.id, **fresh),
            lambda: stock.settle(
                UpdateChannel,
                member_id=by,
                channel_id=stock.channel.id,
                active=rng.choice([True, False]),
                phone_number_id=rng.choice([None, "1", "2"]),
            ),
        ]
    )()


async def live_a_while(stock, rng, steps) -> None:
    """Patients write, members and admins do all that they can, providers report: some of it at once."""
    for _ in range(steps):
        known = list({told.conversation.id: told.conversation for told in stock.talked}.values())
        sent = [
            told.message for told in stock.talked if told.message and told.message.direction == "outbound"
        ]
        commands = [stock.inbound(f"55{rng.randrange(5)}") for _ in range(rng.randrange(1, 4))]
        commands += [any_order(stock, rng, rng.choice(known)) for _ in range(4) if known]
        commands += [any_settling(stock, rng) for _ in range(rng.randrange(3))]
        if sent:
            outcome = rng.choice(["sent", "failed"])
            external_id = f"ours-{rng.randrange(20)}"
            commands.append(stock.delivered(rng.choice(sent), outcome, external_id=external_id))
            commands.append(stock.reported(external_id, rng.choice(["delivered", "read", "failed"])))
        done = await asyncio.gather(
            *(stock.writer.execute(command) for command in commands), return_exceptions=True
        )
        assert all(isinstance(each, Outcome | RefusedError) for each in done), done


@pytest.mark.parametrize("seed", range(8))
async def test_packets_in_any_order_with_repeats_lead_to_the_fresh_snapshot(writing, seed):
    rng = random.Random(seed)
    await live_a_while(writing, rng, 3)
    screen, before = snapshot(writing), len(writing.told)
    await live_a_while(writing, rng, 10)
    later = [packet.payload for told in writing.told[before:] for packet in packets(told)]
    heard = later + rng.choices(later, k=len(later) // 2)
    rng.shuffle(heard)
    for payload in heard:
        screen.hear(payload)
    assert screen.shown() == snapshot(writing).shown()


@pytest.mark.parametrize("seed", range(8))
async def test_a_delta_leads_to_the_fresh_snapshot_whatever_was_heard_before(writing, seed, monkeypatch):
    monkeypatch.setattr(deltas, "DELTA_ROWS", rng_rows := random.Random(seed).randrange(1, 20))
    rng = random.Random(seed)
    await live_a_while(writing, rng, 3)
    screen = snapshot(writing)
    cursor = writing.database.read_now(lambda c: inbox.heads(c, [writing.clinic_id]))[
        writing.clinic_id
    ].cursor
    before = len(writing.told)
    await live_a_while(writing, rng, 10)
    later = [packet.payload for told in writing.told[before:] for packet in packets(told)]
    for payload in rng.choices(later, k=5):
        screen.hear(payload)
    every_thread = list({told.conversation.id for told in writing.talked})
    more = True
    while more:
        delta = writing.database.read_now(
            lambda c, after=cursor: deltas.clinic_delta(
                c, writing.clinic_id, writing.member_id, after, every_thread
            )
        )
        assert len(delta.conversations) + len(delta.messages) + len(delta.reads) <= rng_rows + 2
        screen.ingest(delta.conversations, delta.messages, delta.reads, delta.clinic)
        cursor, more = parse_cursor(delta.cursor), delta.more
    assert screen.shown() == snapshot(writing).shown()
    assert cursor.seq == len(writing.told)


async def test_live_packets_equal_those_read_from_the_log(writing):
    for command in (writing.inbound(), writing.invitation(), writing.settle(UpdateClinic, name="Outra")):
        await writing.writer.execute(command)
        told = writing.told[-1]
        *_, read = writing.database.read_now(lambda c: inbox.log_after(c, writing.clinic_id, 0, 10))
        assert list(packets(read)) == list(packets(told))


async def test_a_record_of_a_newer_version_moves_the_cursor_and_says_no_more(writing):
    for command in (writing.inbound(), writing.settle(UpdateClinic, name="Outra")):
        await writing.writer.execute(command)
        told = writing.told[-1]
        unknown = replace(told, record=replace(told.record, type="Merged"))
        room = f"clinic:{writing.clinic_id}"
        assert list(packets(unknown)) == [Packet(room, "clinic:tick", TickPacket(seq=told.record.seq))]


async def test_every_record_is_told_to_the_clinic_exactly_once_and_last(writing):
    await live_a_while(writing, random.Random(2), 40)
    for told in writing.told:
        *before, last = [packet.room for packet in packets(told)]
        assert last == f"clinic:{writing.clinic_id}"
        assert all(room == f"conversation:{told.conversation.id}" for room in before)
        assert len(before) <= 1
    assert {told.record.type for told in writing.told} == set(CLINIC_EVENTS)


async def test_a_cursor_of_another_history_or_ahead_is_reset(writing):
    await writing.writer.execute(writing.inbound())
    head = writing.database.read_now(lambda c: inbox.heads(c, [writing.clinic_id]))[writing.clinic_id].cursor
    for after in (head._replace(epoch="1.other"), head._replace(seq=head.seq + 1)):
        delta = writing.database.read_now(
            lambda c, after=after: deltas.clinic_delta(c, writing.clinic_id, writing.member_id, after, [])
        )
        assert (delta.reset, delta.cursor, delta.conversations) == (True, str(head), [])
