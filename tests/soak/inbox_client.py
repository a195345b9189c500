"""A client that keeps an inbox as docs/events.md says: rows by version, a cursor, `after` when something is missing.

It never asks for a page after its first one: what it holds later it owes to packets, acknowledgements and deltas.
"""

import asyncio

import httpx
import socketio

CLINIC_PACKETS = ("conversation:list:updated", "conversation:read")
MESSAGE_PACKETS = ("message:new", "message:updated")


def seq_of(cursor: str) -> int:
    return int(cursor.rpartition(":")[2])


class InboxClient:
    """One member's open page. `connect` again after a cut; it asks for what was missed itself."""

    def __init__(
        self, url: str, token: str, clinic_id: int, member_id: str, conversation_ids: list[str]
    ) -> None:
        self._url = url
        self._token = token
        self._clinic_id = clinic_id
        self._member_id = member_id
        self.joined = conversation_ids
        self._catching_up = asyncio.Lock()
        self.cursor: str | None = None
        self.conversations: dict[str, dict] = {}
        self.messages: dict[str, dict] = {}
        self.reads: dict[str, dict] = {}

    async def connect(self) -> None:
        """Join the clinic and every conversation, then be complete up to that moment."""
        self._socket = socketio.AsyncClient(reconnection=False)
        for name in MESSAGE_PACKETS:
            self._socket.on(name, self._hear_message)
        for name in CLINIC_PACKETS:
            self._socket.on(name, self._hear_clinic)
        self._cut = asyncio.Event()
        self._socket.on("disconnect", self._disconnected)
        auth = {"token": self._token, "clinicId": self._clinic_id, "client": "soak/0"}
        await self._socket.connect(self._url, auth=auth, transports=["websocket"])
        for conversation_id in self.joined:
            joined = await self._call("conversation:join", {"conversationId": conversation_id})
            assert joined["ok"], joined
        if self.cursor is None:
            joined = await self._call("clinic:join", {"clinicId": self._clinic_id})
            self._move(joined["cursor"])
            await self._read_afresh()
        await self.catch_up()

    async def send(self, conversation_id: str, client_key: str, body: str) -> dict | None:
        """The acknowledged message, or None if the connection was cut before it came."""
        order = {"conversationId": conversation_id, "clientKey": client_key, "kind": "note", "body": body}
        try:
            answer = await self._call("message:send", order)
        except (socketio.exceptions.SocketIOError, ConnectionError):
            return None
        assert answer["ok"], answer
        self.ingest(messages=[answer["message"]])
        return answer["message"]

    async def catch_up(self) -> None:
        """Ask with `after` until nothing is missing."""
        async with self._catching_up:
            more = True
            while more:
                delta = await self._call(
                    "clinic:join",
                    {
                        "clinicId": self._clinic_id,
                        "after": self.cursor,
                        "conversationIds": self.joined,
                    },
                )
                assert delta["ok"], delta
                assert "reset" not in delta, "the same history went on, and nothing it told was taken back"
                self.ingest(delta["conversations"], delta["messages"], delta["reads"])
                self._move(delta["cursor"])
                more = delta.get("more", False)

    async def disconnect(self) -> None:
        await self._socket.disconnect()

    async def gone(self) -> None:
        """Until the server, or the network, has ended the connection."""
        await self._cut.wait()

    async def _disconnected(self, _reason: str) -> None:
        self._cut.set()

    def ingest(self, conversations=(), messages=(), reads=()) -> None:
        """The row with the highest version stays, so order and repetition do not matter."""
        mine = [mark for mark in reads if mark["memberId"] == self._member_id]
        for held, rows, key in (
            (self.conversations, conversations, "id"),
            (self.messages, messages, "id"),
            (self.reads, mine, "conversationId"),
        ):
            for row in rows:
                known = held.get(row[key])
                if known is None or known["version"] < row["version"]:
                    held[row[key]] = row

    def _hear_message(self, packet: dict) -> None:
        self.ingest(messages=[packet["message"]])

    def _hear_clinic(self, packet: dict) -> None:
        if "read" in packet:
            self.ingest(reads=[packet["read"]])
        else:
            self.ingest(conversations=[packet["conversation"]])
        epoch, _, seq = self.cursor.rpartition(":") if self.cursor else ("", "", "0")
        if packet["seq"] == int(seq) + 1:
            self.cursor = f"{epoch}:{packet['seq']}"

    def _move(self, cursor: str) -> None:
        if self.cursor is None or seq_of(cursor) > seq_of(self.cursor):
            self.cursor = cursor

    async def _read_afresh(self) -> None:
        snapshot = await Snapshot.read(self._url, self._token, self._clinic_id)
        self.ingest(snapshot.conversations.values(), snapshot.messages.values(), snapshot.reads.values())

    async def _call(self, event: str, payload: dict) -> dict:
        """Raises ConnectionError as soon as the connection is cut; the library would wait on."""
        call = asyncio.create_task(self._socket.call(event, payload, timeout=20))
        cut = asyncio.create_task(self._cut.wait())
        try:
            await asyncio.wait([call, cut], return_when=asyncio.FIRST_COMPLETED)
            if call.done():
                return call.result()
            raise ConnectionError
        finally:
            call.cancel()
            cut.cancel()


class Snapshot:
    """What a page that has just been opened reads over HTTP: all conversations, all their messages."""

    def __init__(self) -> None:
        self.conversations: dict[str, dict] = {}
        self.messages: dict[str, dict] = {}
        self.reads: dict[str, dict] = {}

    @classmethod
    async def read(cls, url: str, token: str, clinic_id: int) -> "Snapshot":
        snapshot = cls()
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=f"{url}/api/v1", headers=headers) as api:
            async for page in _pages(api, f"/clinics/{clinic_id}/conversations"):
                snapshot.conversations |= {row["id"]: row for row in page["items"]}
                snapshot.reads |= {mark["conversationId"]: mark for mark in page["reads"]}
            for conversation_id in snapshot.conversations:
                async for page in _pages(api, f"/conversations/{conversation_id}/messages"):
                    snapshot.messages |= {row["id"]: row for row in page["items"]}
        return snapshot


async def _pages(api: httpx.AsyncClient, path: str):
    before = None
    while True:
        params = {"limit": 100} | ({"before": before} if before else {})
        page = (await api.get(path, params=params)).raise_for_status().json()
        yield page
        if (before := page["before"]) is None:
            return
