"""One node of several on one database: writes what it is told to, and prints what was acknowledged, line by line.

Now and then its transaction breaks in the middle; then it asks again, as a client does, with the same key.
"""

import asyncio
import json
import random
import sys

import msgspec
from sqlalchemy import event

from recado import observe
from recado.domain.accounts import Channel
from recado.domain.commands import ReceiveMessage, SendMessage
from recado.domain.instants import from_epoch_ms
from recado.errors import RecadoError, RefusedError
from recado.store.database import Database
from recado.store.writer import Writer
from stock import MONDAY_8_AM_MS, sources, writing_to

ROUNDS = 12
PATIENTS = 6
"""New ones in each round and clinic, the same for every node at the same time."""


class BrokenError(Exception):
    """What a transaction ends with that is to be rolled back."""


class Node:
    def __init__(self, order) -> None:
        self.name = order["name"]
        self.member_id = order["memberId"]
        self.channels = msgspec.convert(order["channels"], list[Channel])
        self.random = random.Random(order["name"])
        self.database = Database(order["url"])
        clock = sources(lambda: from_epoch_ms(MONDAY_8_AM_MS))
        self.writer = Writer(self.database, clock, lambda committed: None)
        event.listen(self.database.engine, "after_cursor_execute", self.break_now_and_then)

    def break_now_and_then(self, connection, cursor, statement, *_) -> None:
        if statement.startswith("INSERT") and self.random.random() < 0.02:
            raise BrokenError

    async def live(self) -> None:
        """Meet the others at every round's start, so that all bring the same new patients at once."""
        async with writing_to(self):
            for number in range(ROUNDS):
                tell(ready=number)
                await asyncio.to_thread(sys.stdin.readline)
                await self.write(number)
        self.database.close()

    async def write(self, number):
        patients = self.shuffled(number)
        outcomes = await self.all_acknowledged(self.inbound(*each, number) for each in patients)
        threads = [outcome.message.conversation_id for outcome in outcomes]
        asked = [(*each[:2], thread) for each, thread in zip(patients, threads, strict=True)]
        for channel in self.random.sample(self.channels, len(self.channels)):
            mine = [each for each in asked if each[0] is channel]
            await self.all_acknowledged(self.reply(*each, number) for each in self.random.sample(mine, 4))

    def shuffled(self, number):
        """Every patient writes through every node, and once more through each with an id that all share."""
        each = [
            (channel, patient, shared)
            for channel in self.channels
            for patient in range(PATIENTS)
            for shared in (True, False)
        ]
        self.random.shuffle(each)
        return each

    def inbound(self, channel, patient, shared, number) -> ReceiveMessage:
        sender = "provider" if shared else self.name
        return ReceiveMessage(
            clinic_id=channel.clinic_id,
            channel=channel.ref,
            external_id=f"{sender}-{number}-{patient}",
            contact_address=f"new-{number}-{patient}",
            contact_name="Maria",
            body="Bom dia",
            sent_at=from_epoch_ms(MONDAY_8_AM_MS),
        )

    def reply(self, channel, patient, conversation_id, number) -> SendMessage:
        """Its key is the same on every node and in every clinic: only the first one who uses it may."""
        return SendMessage(
            clinic_id=channel.clinic_id,
            member_id=self.member_id,
            member_name="Ana",
            role="agent",
            conversation_id=conversation_id,
            client_key=f"{number}-{patient}",
            body="Bom dia, Maria",
        )

    async def all_acknowledged(self, commands):
        return await asyncio.gather(*(self.until_acknowledged(command) for command in commands))

    async def until_acknowledged(self, command):
        while True:
            try:
                outcome = await self.writer.execute(command)
            except RefusedError as refusal:
                tell(refused=refusal.code)
                return None
            except RecadoError:
                continue
            tell(clinic=command.clinic_id, message=outcome.message.id, seq=outcome.message.seq)
            return outcome


def tell(**line) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    observe.configure("error", "json")
    asyncio.run(Node(json.loads(sys.argv[1])).live())
