"""The rules of the inbox, command by command, without a database."""

import itertools
from functools import partial

import pytest
from msgspec.structs import replace

from recado.domain import commands as c
from recado.domain.decide import decide
from recado.domain.events import ConversationUpdated, MarkedRead, MessageReceived, facts_of
from recado.domain.evolve import Stamp, evolve
from recado.domain.instants import from_epoch_ms, shift
from recado.domain.thread import Thread, Waiting
from recado.domain.transitions import BY_MEMBERS
from recado.domain.values import ChannelRef, Failure
from recado.errors import (
    ConflictError,
    ConversationChangedError,
    ForbiddenError,
    InvalidError,
    MessageLeftError,
    NotFoundError,
)

NOW = from_epoch_ms(1_763_971_200_000)
LATER = shift(NOW, 3600)
ANA, BRUNO = "ana", "bruno"
WHO = {"clinic_id": 1, "member_id": ANA, "member_name": "Ana", "role": "agent", "client_key": "k"}
ADMIN = WHO | {"role": "admin", "member_id": BRUNO}

INBOUND = c.ReceiveMessage(
    clinic_id=1,
    channel=ChannelRef(id="channel", kind="generic"),
    external_id="x",
    contact_address="55",
    contact_name="Maria",
    body="Bom dia",
    sent_at=NOW,
)


class Story:
    """A thread to which things happen, one number after the other."""

    def __init__(self, thread=None):
        self.thread = thread or Thread()
        self.ids = map(str, itertools.count(1))
        self.seq = 0

    def do(self, command, at=NOW):
        events = decide(self.thread, command, at, partial(next, self.ids))
        for event in events:
            self.seq += 1
            self.thread = evolve(self.thread, event, Stamp(1, self.seq, at))
        return events

    @property
    def conversation(self):
        return self.thread.conversation

    @property
    def newest(self):
        return max(self.thread.messages.values(), key=lambda message: message.seq)

    def update(self, at=NOW, **fields):
        return self.do(c.UpdateConversation(**WHO, conversation_id=self.conversation.id, **fields), at)

    def reply(self, **fields):
        order = {"body": "Olá"} | fields
        self.do(c.SendMessage(**WHO, conversation_id=self.conversation.id, **order))
        return self.newest


@pytest.fixture
def story():
    """A patient has written once."""
    story = Story()
    story.do(INBOUND)
    return story


class TestPatients:
    @pytest.mark.parametrize("status", ["pending", "snoozed", "resolved", "open"])
    def test_a_message_opens_whatever_it_was(self, story, status):
        if status != "open":
            story.update(status=status, snoozed_until=LATER if status == "snoozed" else None)
        [event] = story.do(INBOUND)
        assert (event.status_before, event.status_after) == (status, "open")
        assert (story.conversation.status, story.conversation.snoozed_until) == ("open", None)

    def test_the_wait_begins_with_the_first_unanswered_message(self, story):
        story.do(INBOUND, at=LATER)
        assert story.conversation.waiting_since == NOW

    def test_what_was_resolved_without_an_answer_is_waited_for_no_more(self, story):
        story.update(status="resolved")
        story.do(INBOUND, at=LATER)
        assert story.conversation.waiting_since == LATER
        reply = story.reply()
        story.do(c.DeleteMessage(**WHO, message_id=reply.id))
        assert story.conversation.waiting_since == LATER

    def test_who_opens_again_what_was_resolved_finds_the_patient_still_waiting(self, story):
        story.update(status="resolved")
        story.update(status="open")
        assert story.conversation.waiting_since == NOW


class TestUpdate:
    @pytest.mark.parametrize("before", BY_MEMBERS)
    @pytest.mark.parametrize("after", BY_MEMBERS)
    def test_statuses_follow_the_table(self, story, before, after):
        def until(status, at):
            return shift(NOW, at) if status == "snoozed" else None

        if before != "open":
            story.update(status=before, snoozed_until=until(before, 60))
        if after in BY_MEMBERS[before]:
            [event] = story.update(status=after, snoozed_until=until(after, 120))
            assert event.status_after == story.conversation.status == after
        elif after == before:
            assert story.update(status=after, snoozed_until=until(after, 120)) == ()
        else:
            with pytest.raises(ConflictError) as refused:
                story.update(status=after, snoozed_until=until(after, 120))
            assert refused.value.state["conversation"] == story.conversation

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"status": "snoozed"}, "missing"),
            ({"status": "snoozed", "snoozed_until": NOW}, "in_the_past"),
            ({"status": "pending", "snoozed_until": LATER}, "needs_snoozed"),
            ({"snoozed_until": LATER}, "needs_snoozed"),
        ],
    )
    def test_a_time_belongs_to_snoozed_and_lies_ahead(self, story, fields, code):
        with pytest.raises(InvalidError if code == "missing" else ConflictError) as refused:
            story.update(**fields)
        assert refused.value.errors == (("snoozedUntil", code),)

    def test_what_is_so_already_takes_no_number(self, story):
        assert story.update(status="open", labels=(), assignee_id=None) == ()

    def test_only_a_member_of_the_clinic_is_assigned(self, story):
        with pytest.raises(ConflictError):
            story.update(assignee_id=BRUNO)
        story.thread = replace(story.thread, members=frozenset({BRUNO}))
        [event] = story.update(assignee_id=BRUNO)
        assert (event.assignee_before, story.conversation.assignee_id) == (None, BRUNO)
        story.update(assignee_id=None)
        assert story.conversation.assignee_id is None

    def test_labels_are_kept_once_each_and_bounded(self, story):
        story.update(labels=("exame", " exame ", "retorno"))
        assert story.conversation.labels == ("exame", "retorno")
        for labels in (("",), ("x" * 51,), tuple(map(str, range(21)))):
            with pytest.raises(InvalidError):
                story.update(labels=labels)

    def test_an_outdated_version_is_refused_with_the_current_state(self, story):
        version = story.conversation.version
        story.update(labels=("exame",))
        with pytest.raises(ConversationChangedError) as refused:
            story.update(labels=("outro",), expected_version=version)
        assert refused.value.state["conversation"].labels == ("exame",)

    def test_the_log_hears_only_what_changed(self, story):
        [event] = story.update(labels=("exame",))
        assert facts_of(event, None) == {
            "labels": [(), ("exame",)],
            "lists": ["open", None, ("exame",)],
        }


class TestSnooze:
    def wake(self, story, at):
        return story.do(c.WakeConversation(clinic_id=1, conversation_id=story.conversation.id), at)

    def test_it_wakes_when_its_time_has_come_and_once(self, story):
        story.update(status="snoozed", snoozed_until=LATER)
        assert self.wake(story, NOW) == ()
        [event] = self.wake(story, LATER)
        assert isinstance(event, ConversationUpdated)
        assert (story.conversation.status, story.conversation.snoozed_until) == ("open", None)
        assert self.wake(story, LATER) == ()


class TestChangingMessages:
    def edit(self, story, message, who=WHO, body="outro"):
        return story.do(c.EditMessage(**who, message_id=message.id, body=body))

    def delete(self, story, message, who=WHO):
        return story.do(c.DeleteMessage(**who, message_id=message.id))

    @pytest.mark.parametrize("kind", ["message", "note"])
    def test_its_author_may_while_it_has_not_left(self, story, kind):
        message = story.reply(kind=kind)
        self.edit(story, message)
        assert (story.newest.body, story.newest.edited_at) == ("outro", NOW)
        assert story.conversation.last_message.preview == "outro"
        self.delete(story, message)
        assert (story.newest.body, story.newest.deleted) == ("", True)
        assert story.conversation.last_message.preview == ""

    def test_what_somebody_has_begun_to_send_stays_as_it_is(self, story):
        message = story.reply()
        story.thread = replace(story.thread, outbox={message.id: Waiting(touched=True, ended_wait=NOW)})
        for change in (self.edit, self.delete):
            with pytest.raises(MessageLeftError) as refused:
                change(story, message)
            assert refused.value.state["currentMessage"] == message

    def test_a_note_may_always_be_changed(self, story):
        note = story.reply(kind="note")
        story.thread = replace(story.thread, outbox={})
        assert self.edit(story, note)

    def test_a_colleague_may_not_but_an_admin_may(self, story):
        message = story.reply(kind="note")
        with pytest.raises(ForbiddenError):
            self.edit(story, message, who=WHO | {"member_id": BRUNO})
        assert self.edit(story, message, who=ADMIN)

    @pytest.mark.parametrize("who", [WHO, ADMIN])
    def test_nobody_changes_a_patients_message(self, story, who):
        for change in (self.edit, self.delete):
            with pytest.raises(ForbiddenError):
                change(story, story.newest, who=who)

    def test_what_is_deleted_is_gone(self, story):
        message = story.reply(kind="note")
        self.delete(story, message)
        with pytest.raises(NotFoundError):
            self.edit(story, message)

    def test_taking_the_answer_back_lets_the_patient_wait_again(self, story):
        message = story.reply()
        assert story.conversation.waiting_since is None
        self.delete(story, message)
        assert story.conversation.waiting_since == NOW


class TestStatus:
    def report(self, story, status, failure=None, message=None):
        order = c.ReportStatus(
            clinic_id=1, channel_id="channel", external_id="x", status=status, failure=failure
        )
        newest = message or story.newest
        story.thread = replace(story.thread, messages={newest.id: newest, **story.thread.messages})
        return story.do(order)

    def test_it_goes_forwards_only_whatever_the_order_of_the_reports(self, story):
        story.reply()
        for status, then in (
            ("delivered", "delivered"),
            ("sent", "delivered"),
            ("read", "read"),
            ("failed", "read"),
        ):
            self.report(story, status)
            assert story.newest.status == then

    def test_a_failed_reply_was_no_answer(self, story):
        story.reply()
        self.report(story, "failed", Failure(code="refused", message="Refused."))
        assert story.conversation.waiting_since == NOW
        assert story.newest.failure.code == "refused"

    def test_a_reply_that_failed_after_it_was_sent_leaves_the_patient_waiting_since_they_wrote(self, story):
        reply = story.reply()
        self.report(story, "sent", message=reply)
        story.thread = replace(story.thread, outbox={})
        self.report(story, "failed", message=story.thread.messages[reply.id])
        assert story.conversation.waiting_since == NOW

    def test_nobody_waits_while_another_answer_stands(self, story):
        first, second = story.reply(), story.reply()
        self.report(story, "failed", message=first)
        assert story.conversation.waiting_since is None
        self.report(story, "failed", message=second)
        assert story.conversation.waiting_since == NOW

    def test_who_wrote_after_the_answer_that_stands_waits_since_then(self, story):
        first = story.reply()
        story.do(INBOUND, at=LATER)
        second = story.reply()
        self.report(story, "failed", message=second)
        assert story.conversation.waiting_since == LATER
        self.report(story, "failed", message=first)
        assert story.conversation.waiting_since == NOW

    def test_a_report_on_an_unknown_message_is_not_found(self):
        with pytest.raises(NotFoundError):
            decide(
                Thread(),
                c.ReportStatus(clinic_id=1, channel_id="channel", external_id="x", status="read"),
                NOW,
                str,
            )


class TestReading:
    def read(self, story, up_to):
        return story.do(c.MarkRead(**WHO, conversation_id=story.conversation.id, up_to=up_to))

    def test_reading_to_the_end_reads_all_the_patient_wrote(self, story):
        story.do(INBOUND)
        [event] = self.read(story, story.conversation.last_seq)
        assert isinstance(event, MarkedRead)
        assert event.inbound_read == story.conversation.inbound_count == 2

    def test_reading_to_the_middle_reads_what_was_before(self, story):
        story.do(INBOUND)
        story.thread = replace(story.thread, inbound_until={1: 1})
        [event] = self.read(story, 1)
        assert event.inbound_read == 1

    def test_marking_unread_moves_the_mark_back(self, story):
        self.read(story, 1)
        [event] = self.read(story, 0)
        assert (event.up_to, event.inbound_read) == (0, 0)

    def test_reading_again_takes_no_number(self, story):
        self.read(story, 1)
        assert self.read(story, 1) == ()

    def test_nobody_reads_ahead(self, story):
        [event] = self.read(story, 99)
        assert event.up_to == story.conversation.last_seq


class TestErasing:
    def test_a_deleted_conversation_keeps_no_words_and_takes_no_orders(self, story):
        story.reply()
        story.update(labels=("exame",))
        story.do(c.DeleteConversation(**ADMIN, conversation_id=story.conversation.id))
        gone = story.conversation
        assert (gone.deleted, gone.contact.name, gone.contact.address, gone.labels) == (True, "", "", ())
        assert (gone.last_message, gone.waiting_since) == (None, None)
        with pytest.raises(NotFoundError):
            story.reply()

    def test_a_new_name_is_shown_and_the_channels_counts_no_more(self, story):
        story.do(c.RenameContact(**WHO, conversation_id=story.conversation.id, name=" Maria\n\tSilva "))
        [event] = story.do(INBOUND)
        assert isinstance(event, MessageReceived)
        assert story.conversation.contact.name == event.contact.name == "Maria Silva"
        for name in (" ", "x" * 201):
            with pytest.raises(InvalidError):
                story.do(c.RenameContact(**WHO, conversation_id=story.conversation.id, name=name))
