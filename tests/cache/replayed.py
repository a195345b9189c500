"""An inbox as its log tells it, record by record: what answers are held against. Written without the code under test.

The log has no words. Those are what `said` remembers of who said them, by client key or by the provider's id.
"""

PREVIEW_CHARS = 120


class Replayed:
    """One clinic. `said` has a text for each client key, and `(address, name, text)` for each provider's id.

    `contacts` has each conversation's contact by its id, `channel` all conversations' channel, `ids` the provider's id
    of each message that a patient wrote.
    """

    def __init__(self, clinic, channel, said, contacts, ids, authors) -> None:
        self.clinic = clinic
        self._channel = channel
        self._said = said
        self._contacts = contacts
        self._ids = ids
        self._authors = authors
        self._conversations = {}
        self._threads = {}
        self.marks = {}
        """By member and conversation: `(seq, mark)` of every mark there was, oldest first."""

    def apply(self, record) -> None:
        """The next one. A reply is no part of this model, as it also leaves."""
        steps = {
            "MessageReceived": self._receive,
            "MessageWritten": self._write,
            "MessageEdited": self._edit,
            "MessageDeleted": self._delete_message,
            "MarkedRead": self._mark,
            "ConversationUpdated": self._update,
            "ContactRenamed": self._rename,
            "ConversationDeleted": self._delete,
            "ClinicUpdated": self._name,
            "CacheInvalidated": lambda record: None,
        }
        steps[record.type](record)

    def external_id(self, record):
        return self._ids[record.message_id]

    def page(self, limit, before, status=None, assignee=None, label=None):
        """`assignee` "" is nobody; None, here and elsewhere, no filter."""
        fitting = [
            each
            for each in self._conversations.values()
            if (status is None or each["status"] == status)
            and (assignee is None or each.get("assigneeId", "") == assignee)
            and (label is None or label in each["labels"])
            and (before is None or each["lastSeq"] < before)
        ]
        fitting.sort(key=lambda each: -each["lastSeq"])
        more = len(fitting) > limit
        return {
            "items": fitting[:limit],
            "before": str(fitting[limit - 1]["lastSeq"]) if more else None,
        }

    def conversation(self, conversation_id):
        return self._conversations.get(conversation_id)

    def thread(self, conversation_id, limit):
        if conversation_id not in self._threads:
            return None
        messages = sorted(self._threads[conversation_id].values(), key=lambda each: -each["seq"])
        return {
            "items": messages[:limit],
            "before": str(messages[limit - 1]["seq"]) if len(messages) > limit else None,
            "after": None,
        }

    def _open(self, record):
        address, name, _ = self._said[self.external_id(record)]
        self._threads[record.conversation_id] = {}
        contact = {"id": self._contacts[record.conversation_id], "name": name, "address": address}
        opened = {
            "id": record.conversation_id,
            "clinicId": record.clinic_id,
            "contact": contact,
            "channel": self._channel,
            "labels": [],
            "inboundCount": 0,
            "createdAt": record.at,
        }
        self._conversations[record.conversation_id] = opened
        return opened

    def _receive(self, record) -> None:
        conversation = self._conversations.get(record.conversation_id) or self._open(record)
        _, _, body = self._said[self.external_id(record)]
        count = conversation["inboundCount"] + 1
        message = {
            "kind": "message",
            "direction": "inbound",
            "author": {"type": "contact"} | {name: conversation["contact"][name] for name in ("id", "name")},
            "body": body,
            "status": "received",
            "ordinal": count,
        }
        before, after = record.facts["status"]
        waiting = record.at if before == "resolved" else conversation.get("waitingSince", record.at)
        conversation |= {"status": after, "inboundCount": count, "waitingSince": waiting}
        self._say(record, conversation, message)

    def _write(self, record) -> None:
        assert record.facts["kind"] == "note"
        author = {"type": "member", "id": record.member_id, "name": self._authors[record.member_id]}
        message = {
            "kind": "note",
            "direction": "outbound",
            "author": author,
            "body": self._said[record.client_key],
            "clientKey": record.client_key,
            "status": "sent",
        }
        self._say(record, self._conversations[record.conversation_id], message)

    def _say(self, record, conversation, message) -> None:
        message |= {
            "id": record.message_id,
            "conversationId": record.conversation_id,
            "attachments": [],
            "seq": record.seq,
            "version": record.seq,
            "createdAt": record.at,
        }
        self._threads[record.conversation_id][record.message_id] = message
        conversation |= {"lastSeq": record.seq, "version": record.seq, "lastMessage": preview_of(message)}

    def _edit(self, record) -> None:
        self._change(record, body=self._said[record.client_key], editedAt=record.at)

    def _delete_message(self, record) -> None:
        self._change(record, body="", deleted=True)

    def _change(self, record, **fields) -> None:
        """A message; with it its conversation, if that shows it."""
        thread = self._threads[record.conversation_id]
        message = thread[record.message_id] = thread[record.message_id] | fields | {"version": record.seq}
        conversation = self._conversations[record.conversation_id]
        if conversation["lastMessage"]["id"] == message["id"]:
            conversation |= {"version": record.seq, "lastMessage": preview_of(message)}

    def _mark(self, record) -> None:
        mark = {
            "conversationId": record.conversation_id,
            "memberId": record.member_id,
            "upTo": record.facts["upTo"],
            "inboundRead": record.facts["inboundRead"],
            "version": record.seq,
        }
        self.marks.setdefault((record.member_id, record.conversation_id), []).append((record.seq, mark))

    def _update(self, record) -> None:
        conversation = self._conversations[record.conversation_id]
        status, assignee, labels = record.facts["lists"]
        conversation |= {"status": status, "labels": labels, "version": record.seq}
        conversation.pop("assigneeId", None)
        if assignee is not None:
            conversation["assigneeId"] = assignee

    def _rename(self, record) -> None:
        conversation = self._conversations[record.conversation_id]
        contact = {**conversation["contact"], "name": self._said[record.client_key]}
        conversation |= {"contact": contact, "version": record.seq}

    def _delete(self, record) -> None:
        del self._conversations[record.conversation_id], self._threads[record.conversation_id]

    def _name(self, record) -> None:
        self.clinic = {**self.clinic, "name": self._said[record.client_key], "version": record.seq}


def preview_of(message):
    return {
        "id": message["id"],
        "kind": message["kind"],
        "direction": message["direction"],
        "preview": message["body"][:PREVIEW_CHARS],
        "authorName": message["author"]["name"],
        "at": message["createdAt"],
    }
