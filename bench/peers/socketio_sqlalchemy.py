"""The stack people write today: python-socketio on uvicorn, SQLAlchemy's asyncio extension, a commit per message.

It does the work that Recado does for a send: store the message, bring the conversation up to date, tell its room and
its clinic's, acknowledge. It leaves out what the bench does not ask of it: access, keys, a log, an outbox.

    socketio_sqlalchemy.py PORT DATABASE_URL     the conversations are read from standard input, as JSON
"""

import asyncio
import json
import sys
import uuid
from datetime import UTC, datetime

import socketio
import uvicorn
from sqlalchemy import DateTime, ForeignKey, event, update
from sqlalchemy.ext.asyncio import AsyncAttrs, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(AsyncAttrs, DeclarativeBase):
    pass


class Conversation(Base):
    __tablename__ = "conversations"
    id: Mapped[str] = mapped_column(primary_key=True)
    clinic_id: Mapped[int] = mapped_column(index=True)
    last_message: Mapped[str] = mapped_column(default="")
    last_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    message_count: Mapped[int] = mapped_column(default=0)


class Message(Base):
    __tablename__ = "messages"
    id: Mapped[str] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"), index=True)
    kind: Mapped[str]
    author: Mapped[str]
    client_key: Mapped[str]
    body: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


def make_engine(url):
    engine = create_async_engine(url, pool_size=20)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine.sync_engine, "connect")
        def prepare(connection, _record):
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000"):
                connection.execute(f"PRAGMA {pragma}")

    return engine


def make_server(sessions):
    sio = socketio.AsyncServer(async_mode="asgi")

    @sio.event
    async def connect(sid, _environ, auth):
        await sio.save_session(sid, auth)
        await sio.enter_room(sid, f"clinic:{auth['clinicId']}")

    @sio.on("conversation:join")
    async def join(sid, data):
        await sio.enter_room(sid, f"conversation:{data['conversationId']}")
        return {"ok": True}

    @sio.on("message:send")
    async def send(sid, data):
        seat = await sio.get_session(sid)
        message = Message(
            id=str(uuid.uuid4()),
            conversation_id=data["conversationId"],
            kind=data["kind"],
            author=seat["name"],
            client_key=data["clientKey"],
            body=data["body"],
            created_at=datetime.now(UTC),
        )
        async with sessions() as session, session.begin():
            session.add(message)
            await session.flush()
            changed = await session.execute(
                update(Conversation)
                .where(Conversation.id == message.conversation_id)
                .values(
                    last_message=message.body,
                    last_at=message.created_at,
                    message_count=Conversation.message_count + 1,
                )
                .returning(Conversation.message_count)
            )
            count = changed.scalar_one()
        told = {
            "id": message.id,
            "conversationId": message.conversation_id,
            "kind": message.kind,
            "author": message.author,
            "clientKey": message.client_key,
            "body": message.body,
            "createdAt": message.created_at.isoformat(),
        }
        packet = {"conversationId": message.conversation_id, "message": told, "clientKey": message.client_key}
        row = {"id": message.conversation_id, "lastMessage": message.body, "messageCount": count}
        await sio.emit("message:new", packet, room=f"conversation:{message.conversation_id}")
        await sio.emit("conversation:list:updated", {"conversation": row}, room=f"clinic:{seat['clinicId']}")
        return {"ok": True, "message": told}

    return sio


async def main(port, url, places):
    engine = make_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    async with sessions() as session, session.begin():
        session.add_all(Conversation(id=place[1], clinic_id=place[0]) for place in places)
    app = socketio.ASGIApp(make_server(sessions))
    await uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning")).serve()
    await engine.dispose()


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1]), sys.argv[2], json.load(sys.stdin)))
