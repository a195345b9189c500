"""What the writer reads before it decides is what that takes, and no more."""

from recado.domain.commands import key_of
from recado.store.recent import Recent
from recado.store.working_set import load


async def test_an_answer_that_falls_does_not_bring_in_all_that_the_patient_wrote(writing):
    conversation_id = (await writing.writer.execute(writing.inbound())).message.conversation_id
    await writing.writer.execute(writing.reply(conversation_id))
    first = await writing.writer.execute(writing.inbound())
    await writing.writer.execute(writing.inbound())
    reply = await writing.writer.execute(writing.reply(conversation_id))
    for _ in range(20):
        await writing.writer.execute(writing.inbound())

    failed = writing.delivered(reply.message, "failed")
    found = writing.database.write_now(lambda c: load(c, [failed], [key_of(failed)], Recent()))
    assert first.message.id in found.messages
    assert len(found.messages) == 4, "two replies, and the first message after each"
