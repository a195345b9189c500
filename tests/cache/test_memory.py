"""The first level: what is asked for stays, what is too old is read again."""


async def test_an_answer_that_is_too_old_is_read_again(node):
    await node.page()
    [entry] = node.cache.memory.entries.values()
    entry.until = 0.0
    assert await node.page() is not entry
    assert (node.cache.counts.loaded, node.cache.memory.expired) == (2, 1)


async def test_what_was_asked_for_last_is_put_out_last(node):
    await node.page(limit=1)
    await node.page(limit=2)
    asked = await node.page(limit=1)
    assert list(node.cache.memory.entries.values())[-1] is asked
    assert node.cache.counts.loaded == 2
