"""docs/events.md says exactly what the code's types say: every shape, field, event and code."""

import re
import types
from pathlib import Path
from typing import Annotated, Literal, NewType, Union, get_args, get_origin, get_type_hints

import pytest
from msgspec import UnsetType
from msgspec.structs import fields

from recado import errors
from recado.app import channels, clinics, inbox, vocabulary
from recado.domain import channel_views, clinic, packets, values, views
from recado.domain.transitions import BY_MEMBERS

PAGE = (Path(__file__).parents[2] / "docs/events.md").read_text("utf-8")

SHAPES = [
    values.Conversation,
    values.ContactRef,
    values.ChannelRef,
    values.LastMessage,
    values.Message,
    values.Author,
    values.Attachment,
    values.Failure,
    values.ReadMark,
    clinic.Clinic,
    clinic.ClinicMember,
    clinic.Label,
    clinic.CannedReply,
    clinic.BusinessHours,
    clinic.OpenHours,
    clinic.MemberDetails,
    channel_views.ChannelDetails,
    channel_views.ChannelSecrets,
    views.ConversationPage,
    views.MessagePage,
    views.Delta,
    vocabulary.Hello,
    vocabulary.JoinClinic,
    vocabulary.JoinConversation,
    vocabulary.LeaveConversation,
    inbox.SendOrder,
    inbox.EditOrder,
    inbox.DeleteOrder,
    inbox.ReadOrder,
    inbox.UpdateOrder,
    inbox.RenameOrder,
    inbox.EraseOrder,
    clinics.UpdateClinicOrder,
    clinics.InviteOrder,
    clinics.UpdateMemberOrder,
    clinics.ResetPasswordOrder,
    clinics.ChangePasswordOrder,
    channels.AddChannelOrder,
    channels.UpdateChannelOrder,
    channels.RotateSecretOrder,
    vocabulary.Joined,
    vocabulary.Server,
    vocabulary.Sent,
    vocabulary.Marked,
    vocabulary.Updated,
    vocabulary.ClinicUpdated,
    vocabulary.Invited,
    vocabulary.PasswordSet,
    vocabulary.ChannelSettled,
    vocabulary.Left,
    vocabulary.Refused,
    vocabulary.Refusal,
    vocabulary.RefusedField,
    packets.MessagePacket,
    packets.ConversationPacket,
    packets.ReadPacket,
    packets.ClinicPacket,
    packets.TickPacket,
    vocabulary.Connections,
    vocabulary.Draining,
]

PLAIN = {int: "integer", str: "string", bool: "boolean"}


def type_text(hint) -> str:
    """A Python type as the page writes it."""
    if hint is values.Instant:
        return "time"
    if isinstance(hint, NewType):
        return type_text(hint.__supertype__)
    if hint in PLAIN:
        return PLAIN[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return type_text(arguments[0])
    if origin in {Union, types.UnionType}:
        [kind] = [each for each in arguments if each not in {type(None), UnsetType}]
        return type_text(kind)
    if origin is Literal:
        return " \\| ".join(f"`{each}`" for each in arguments)
    if origin in {list, tuple}:
        return f"list of {type_text(arguments[0])}"
    return f"[{hint.__name__}](#{hint.__name__.lower()})"


def rows_of(shape) -> list[tuple[str, str]]:
    hints = get_type_hints(shape, include_extras=True)
    return [
        (f"`{each.encode_name}`" + ("" if each.required else "?"), type_text(hints[each.name]))
        for each in fields(shape)
    ]


def table_under(heading: str) -> list[tuple[str, ...]]:
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section, f"docs/events.md has no section {heading}"
    cells = [
        tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        for line in section[1].splitlines()
        if line.startswith("|")
    ]
    return cells[2:]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_every_shape_is_told_field_by_field(shape):
    assert [row[:2] for row in table_under(shape.__name__)] == rows_of(shape)


def test_every_client_event_is_told():
    told = [
        tuple(cell.strip("`").split("]")[0].lstrip("[") for cell in row)
        for row in table_under("Client → server")
    ]
    assert told == [
        (name, event.payload.__name__, event.answer.__name__)
        for name, event in vocabulary.CLIENT_EVENTS.items()
    ]


def test_every_server_event_is_told():
    told = [(row[0].strip("`"), row[1].split("]")[0].lstrip("[")) for row in table_under("Server → client")]
    assert told == [(name, payload.__name__) for name, payload in vocabulary.SERVER_EVENTS.items()]


def test_every_packet_of_a_record_is_an_event():
    told = {*packets.MESSAGE_EVENTS.values(), *packets.CLINIC_EVENTS.values()}
    assert told <= vocabulary.SERVER_EVENTS.keys()


def test_every_error_code_is_told_with_its_status():
    def tree(kind):
        return [kind, *(each for child in kind.__subclasses__() for each in tree(child))]

    ours = {each for each in tree(errors.RecadoError) if each.__module__ == "recado.errors"}
    known = {
        (f"`{each.code}`", str(each.status), "yes" if each.retryable else "no")
        for each in ours - {errors.RefusedError, errors.ConfigError}
    }
    assert {row[:3] for row in table_under("Codes")} == known


def test_statuses_follow_the_table_that_is_told():
    told = {
        row[0]: set(re.findall(r"\b(open|pending|snoozed|resolved)\b", row[1]))
        for row in table_under("Changing")
    }
    assert told == BY_MEMBERS


def test_every_type_of_record_is_told():
    assert {row[0].strip("`") for row in table_under("Records")} == set(packets.CLINIC_EVENTS)
