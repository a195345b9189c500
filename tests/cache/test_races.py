"""The race table of docs/cache.md: whatever comes in whatever order, nobody is served what was true once."""

import asyncio
import time
from contextlib import asynccontextmanager

import msgspec
import pytest

from cache.node import Gate, Node, nodes
from channels.polling import eventually
from recado.clock import clock
from recado.domain.clinic_commands import UpdateClinic
from recado.domain.cursor import Cursor
from recado.domain.views import ListFilter
from recado.errors import CursorAheadError, UnavailableError
from stock import by_hand

RESOLVED = ListFilter(status="resolved")


def message_to(stock, number):
    """A patient's, which moves the conversation to the head of the list."""
    return stock.inbound(f"55{number}")


def quiet(stock, number=[0]):  # noqa: B006 - counts
    """A record that no list depends on."""
    number[0] += 1
    return stock.settle(UpdateClinic, name=f"Clínica {number[0]}")


async def read_by_who_joins_after_a_change(node, stock):
    """What the second of two readers gets, whose shared flight began before the change."""
    gate = Gate(node.loader())
    early = asyncio.create_task(node.page(load=gate))
    await gate.reached.wait()
    await node.write(message_to(stock, 3))
    late = asyncio.create_task(node.page())
    await eventually(lambda: node.cache.counts.joined, "the later one joins")
    gate.open.set()
    await early
    return await late


class TestWhoReads:
    async def test_what_is_stored_after_the_change_is_dead_on_arrival(self, node, stock):
        await node.page(fitting=RESOLVED)
        gate = Gate(node.loader())
        early = asyncio.create_task(node.page(load=gate))
        await gate.reached.wait()
        await node.write(message_to(stock, 3))
        gate.open.set()
        await early
        assert await node.is_fresh()

    async def test_who_comes_after_the_change_does_not_get_what_an_older_flight_brings(self, node, stock):
        late = await read_by_who_joins_after_a_change(node, stock)
        assert late.body == await node.truth()
        assert node.cache.counts.again == 1

    async def test_a_cancelled_reader_takes_nobody_with_them(self, node):
        gate = Gate(node.loader())
        readers = [asyncio.create_task(node.page(load=gate)) for _ in range(5)]
        await gate.reached.wait()
        readers[0].cancel()
        readers[3].cancel()
        await asyncio.sleep(0)
        gate.open.set()
        results = await asyncio.gather(*readers, return_exceptions=True)
        assert [isinstance(each, asyncio.CancelledError) for each in results] == [
            True,
            False,
            False,
            True,
            False,
        ]
        assert node.cache.counts.loaded == 1

    async def test_a_flight_that_has_landed_is_not_waited_for_again(self, node, stock, monkeypatch):
        await node.page(fitting=RESOLVED)
        steps, shields, real = [], 0, asyncio.shield

        def shield(flight):
            nonlocal shields
            shields += 1
            assert shields < 50, "it spins"
            return real(flight)

        def between():  # the flight's last step is done, its callbacks are not
            reading = node.page()
            reading.send(None)
            steps.append("waits")
            reading.close()

        async def load():
            loaded = await node.loader()()
            await node.write(message_to(stock, 3))
            asyncio.get_running_loop().call_soon(between)
            monkeypatch.setattr(asyncio, "shield", shield)
            return loaded

        await node.page(load=load)
        await asyncio.sleep(0)
        assert steps == ["waits"]
        assert await node.is_fresh()

    async def test_two_hundred_first_readers_cost_one_load(self, node):
        await asyncio.gather(*(node.page() for _ in range(200)))
        assert node.cache.counts.loaded == 1

    async def test_a_load_from_an_old_snapshot_is_neither_served_nor_kept(self, node, stock):
        await node.page(fitting=RESOLVED)
        old = await node.loader()()
        await node.write(message_to(stock, 3))

        async def standby():
            return old

        with pytest.raises(UnavailableError):
            await node.page(load=standby)
        assert node.cache.counts.late == 1
        assert await node.is_fresh()

    async def test_the_first_reader_of_a_clinic_reads_once_and_it_is_followed_from_there(self, node, stock):
        real, asked = node.database.read, []

        async def counted(work, **how):
            asked.append(work)
            return await real(work, **how)

        node.database.read = counted
        await node.page()
        assert len(asked) == 1
        assert (node.log.epoch, node.log.seq) == node.head()
        await node.write(message_to(stock, 3))
        assert node.log.seq == node.head().seq
        assert await node.is_fresh()

    async def test_an_own_commit_is_taken_in_without_asking_the_log(self, node, stock):
        await node.page()
        await node.write(message_to(stock, 3))
        assert node.log.pull is None
        assert node.log.seq == node.head().seq

    async def test_what_is_committed_while_the_first_reader_reads_is_seen_by_the_next(self, node, stock):
        late = await read_by_who_joins_after_a_change(node, stock)
        assert late.body == await node.truth()

    async def test_a_hint_that_comes_while_the_first_reader_reads_stands(self, two, stock):
        here, there = two
        gate, released = Gate(there.loader()), hold_the_log(there)
        reading = asyncio.create_task(there.page(load=gate))
        await gate.reached.wait()
        await here.write(message_to(stock, 3))
        gate.open.set()
        await eventually(lambda: there.log, "it is followed")
        released.set()
        assert (await reading).body == await there.truth()

    async def test_what_is_told_after_the_first_reader_has_read_is_not_forgotten(self, node, stock):
        gate, released = Gate(node.loader()), hold_the_log(node)
        reading = asyncio.create_task(node.page(load=gate))
        await gate.reached.wait()
        # It is asked for, and the answer is late.
        node.feed.hear(node.clinic_id, node.head().seq + 1)
        gate.open.set()
        await eventually(lambda: node.log, "it is followed")
        await node.write(message_to(stock, 3))
        released.set()
        assert (await reading).body == await node.truth()
        assert node.log.seq == node.head().seq

    async def test_a_clinic_whose_first_reader_failed_is_followed_by_the_next(self, node, stock):
        async def fail():
            raise UnavailableError

        with pytest.raises(UnavailableError):
            await node.page(load=fail)
        assert node.clinic_id not in node.feed.followed
        assert await node.is_fresh()
        await node.write(message_to(stock, 3))
        assert await node.is_fresh()


def hold_the_log(node):
    """What the feed asks of the log is read in time, and answered when the event is set."""
    real, released = node.database.read, asyncio.Event()

    async def late(work, *, ahead=False):
        answer = await real(work, ahead=ahead)
        if ahead:
            await released.wait()
        return answer

    node.database.read = late
    return released


@asynccontextmanager
async def asking(node, ask=None):
    """A question about the log that was read before this is entered, and answered when it ends.

    `ask` has the node ask it, if it is not just asked.
    """
    real, read, released = node.database.read, asyncio.Event(), asyncio.Event()

    async def late(work, **how):
        answer = await real(work, **how)
        read.set()
        await released.wait()
        return answer

    node.database.read = late
    question = ask() if ask else asyncio.create_task(node.feed.refresh(node.clinic_id))
    await read.wait()
    node.database.read = real
    yield
    released.set()
    if question is not None:
        await question


class TestWhatIsHeard:
    async def test_a_hint_that_never_came_is_made_good_by_the_cursor(self, two, stock):
        here, there = two
        await there.page()
        here.hints = False
        seen = await here.write(message_to(stock, 3))
        assert await there.is_fresh(after=seen)

    async def test_a_hint_that_never_came_is_made_good_by_the_poll(self, stock, threads, monkeypatch):
        monkeypatch.setattr("recado.feed.feed.POLL_S", 0.05)
        async with Node(stock) as here, Node(stock, polls=True) as there:
            await there.page()
            await here.write(message_to(stock, 3))
            await eventually(lambda: there.log.seq == here.head().seq, "the poll finds it", 2)
            assert await there.is_fresh()

    async def test_a_lease_that_is_over_makes_the_reader_ask(self, two, stock, soon_over):
        here, there = two
        await there.page()
        here.hints = False
        await here.write(message_to(stock, 3))
        await eventually(lambda: clock() > there.log.lease, "the lease ends", 2)
        assert await there.is_fresh()

    async def test_who_hears_no_hints_asks_at_once_and_then_before_long(self, two, stock):
        here, there = two
        await there.page()
        here.hints = False
        there.feed.deafen()
        await here.write(message_to(stock, 3))
        assert await there.is_fresh()
        await here.write(message_to(stock, 4))
        await eventually(lambda: clock() > there.log.lease, "the lease is short", 1)
        assert await there.is_fresh()

    async def test_a_lease_counts_from_the_question(self, two, stock, soon_over):
        here, there = two
        await there.page()
        here.hints = False
        real, held = there.database.read, asyncio.Event()

        async def slow(work, **how):
            answer = await real(work, **how)
            await held.wait()
            return answer

        await eventually(lambda: clock() > there.log.lease, "the lease ends", 2)
        there.database.read = slow
        asked_at = clock()
        reading = asyncio.create_task(there.page())
        await eventually(lambda: there.log.pull, "it asks")
        await here.write(message_to(stock, 3))
        await eventually(lambda: clock() > asked_at + 0.3, "the answer is long on its way", 2)
        there.database.read = real
        held.set()
        await reading
        assert await there.is_fresh()

    async def test_who_knows_that_there_is_more_waits_for_it(self, two, stock):
        here, there = two
        await there.page()
        real, held = there.database.read, asyncio.Event()

        async def slow(work, **how):
            answer = await real(work, **how)
            await held.wait()
            return answer

        there.database.read = slow
        await here.write(message_to(stock, 3))
        await asyncio.sleep(0)  # the question leaves
        there.database.read = real
        reading = asyncio.create_task(there.page())
        await asyncio.sleep(0)
        assert not reading.done()
        held.set()
        assert (await reading).body == await there.truth()

    async def test_a_hint_of_what_is_not_there_is_dropped_after_one_question(self, node):
        await node.page()
        node.feed.hear(node.clinic_id, 99_999)
        assert await node.is_fresh()
        await eventually(lambda: node.log.pull is None or node.log.pull.done(), "it asked")
        assert node.log.need < node.log.seq

    async def test_a_true_hint_is_not_dropped_with_a_false_one(self, two, stock):
        here, there = two
        await there.page()
        async with asking(there, lambda: there.feed.hear(there.clinic_id, 99_999)):
            await here.write(message_to(stock, 3))
        assert await there.is_fresh()

    async def test_a_cursor_ahead_of_everything_is_refused_and_one_of_another_history_is_not(self, node):
        entry = await node.page()
        with pytest.raises(CursorAheadError):
            async with asyncio.timeout(5):
                await node.page(after=Cursor(entry.epoch, 99_999))
        assert await node.is_fresh(after=Cursor("7.another", 99_999))
        assert await node.is_fresh()

    async def test_own_commits_whose_news_comes_out_of_turn_leave_no_hole(self, node, stock, threads):
        await node.page()
        news, node.writer._on_commit = [], None
        node.writer._on_commit = news.append
        await node.write(message_to(stock, 3))
        await node.write(message_to(stock, 4))
        node.committed(news[1])
        assert await node.is_fresh()
        node.committed(news[0])
        assert await node.is_fresh()
        assert {f"c{threads[3]}", f"c{threads[4]}"} <= node.log.touched.keys()

    async def test_a_commit_of_unknown_outcome_makes_the_reader_ask(self, node, stock):
        await node.page()
        real = node.database.write_whole

        async def lost(work):
            await real(work)
            raise UnavailableError  # committed, but the line broke before we heard so

        node.database.write_whole = lost
        with pytest.raises(UnavailableError):
            await node.writer.execute(message_to(stock, 3))
        node.database.write_whole = real
        assert await node.is_fresh()

    async def test_what_was_asked_before_a_doubt_does_not_end_it(self, node, stock):
        await node.page()
        real = node.database.write_whole

        async def lost(work):
            await real(work)
            raise UnavailableError

        node.database.write_whole = lost
        async with asking(node):
            with pytest.raises(UnavailableError):
                await node.writer.execute(message_to(stock, 3))
        assert await node.is_fresh()

    async def test_what_was_asked_before_hints_are_heard_is_not_believed_after(self, two, stock):
        here, there = two
        await there.page()
        here.hints = False
        there.feed.deafen()
        async with asking(there):
            await here.write(message_to(stock, 3))
            there.feed.poll_soon()
        assert await there.is_fresh()

    async def test_a_record_of_a_newer_version_makes_everything_older_stale(self, two, stock, threads):
        here, there = two
        await there.page()
        await here.write(message_to(stock, 3))
        await there.page(fitting=RESOLVED)
        by_hand(
            here.database,
            "INSERT INTO events (clinic_id, seq, id, prev, type, conversation_id, facts, at) "
            f"SELECT id, seq + 1, 77, head, 'Merged', '{threads[11]}', '{{}}', '2026-01-01T00:00:00.000Z' FROM clinics",
            f"UPDATE conversations SET status = 'resolved', version = version + 1 WHERE id = '{threads[11]}'",
            "UPDATE clinics SET seq = seq + 1, head = 77",
        )
        there.feed.hear(stock.clinic_id, here.head().seq)
        assert await there.is_fresh(fitting=RESOLVED)
        assert await there.is_fresh()

    async def test_the_wall_clock_is_not_asked(self, node, stock, monkeypatch):
        await node.page()
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 86_400)
        await node.write(message_to(stock, 3))
        assert await node.is_fresh()


def lose_last_commit(node, conversation_id):
    """As a crash does that the database survives without its newest transaction."""
    gone = node.head().seq
    by_hand(
        node.database,
        f"DELETE FROM search_documents WHERE message_id IN (SELECT id FROM messages WHERE seq = {gone})",
        f"DELETE FROM events WHERE seq = {gone}",
        f"UPDATE clinics SET seq = {gone - 1}, head = (SELECT id FROM events WHERE seq = {gone - 1})",
        f"UPDATE conversations SET last_seq = 4, version = 4 WHERE id = '{conversation_id}'",
        f"DELETE FROM messages WHERE seq = {gone} AND id NOT IN (SELECT last_message_id FROM conversations)",
    )


class TestHistory:
    @pytest.mark.parametrize("then", ["behind", "refilled", "own write"])
    async def test_what_was_read_of_a_lost_commit_is_gone_with_it(
        self, stock, threads, redis_url, soon_over, then
    ):
        async with nodes(stock, 2, redis_url=redis_url) as (here, there):
            here.hints = there.hints = False
            await there.write(quiet(stock))
            await here.page()
            await there.page()
            await here.write(message_to(stock, 3))
            await here.page()
            await eventually(lambda: here.redis.puts >= 2, "it is in Redis")
            lose_last_commit(here, threads[3])
            if then == "refilled":
                there.feed._drop(there.log)
                await there.page(fitting=RESOLVED)
                await there.write(message_to(stock, 4))
            if then == "own write":
                await here.write(message_to(stock, 4))
            else:
                await eventually(lambda: clock() > here.log.lease, "the lease ends", 2)
            assert await here.is_fresh(), "warm"
            await here.write(quiet(stock))
            async with Node(stock, redis_url=redis_url) as cold:
                assert await cold.is_fresh(), "cold"
            assert here.resets == [stock.clinic_id]

    async def test_a_new_epoch_by_the_operators_hand_makes_everything_older_stale(
        self, stock, threads, redis_url, soon_over
    ):
        async with Node(stock, redis_url=redis_url) as node:
            entry = await node.page()
            await node.page(limit=1)
            await eventually(lambda: node.redis.puts == 2, "they are in Redis")
            by_hand(
                node.database,
                f"UPDATE conversations SET last_seq = 1000 WHERE id = '{threads[2]}'",  # repaired by hand
                "UPDATE clinics SET epoch = epoch + 1",
            )
            await eventually(lambda: clock() > node.log.lease, "the lease ends", 2)
            assert await node.is_fresh()
            assert await node.is_fresh(limit=1)
            assert await node.is_fresh(after=Cursor(entry.epoch, 10**9))
        async with Node(stock, redis_url=redis_url) as cold:
            assert await cold.is_fresh()

    async def test_a_log_that_was_trimmed_past_our_place_makes_everything_older_stale(
        self, two, stock, soon_over
    ):
        here, there = two
        here.hints = False
        await there.page()
        epoch = there.log.epoch
        await here.write(message_to(stock, 3))
        for _ in range(4):
            await here.write(quiet(stock))
        by_hand(here.database, "DELETE FROM events WHERE seq < (SELECT seq - 1 FROM clinics)")
        await eventually(lambda: clock() > there.log.lease, "the lease ends", 2)
        assert await there.is_fresh()
        assert there.log.epoch == epoch, "it is the same history"

    async def test_a_hole_in_the_log_is_not_jumped(self, two, stock, soon_over):
        here, there = two
        here.hints = False
        await there.page()
        for number in (3, 4, 5):
            await here.write(message_to(stock, number))
        by_hand(here.database, "DELETE FROM events WHERE seq = (SELECT seq - 1 FROM clinics)")
        for _ in range(3):
            await eventually(lambda: clock() > there.log.lease, "the lease ends", 2)
            assert await there.is_fresh()


@asynccontextmanager
async def in_redis(stock, redis):
    """A node whose first page has come to Redis."""
    async with Node(stock, redis_url=redis.url) as node:
        await node.page()
        await eventually(lambda: node.redis.puts, "it is in Redis")
        yield node


class TestRedis:
    async def test_a_late_store_of_an_old_value_is_seen_by_its_label(self, stock, threads, redis_url):
        async with nodes(stock, 2, redis_url=redis_url) as (here, there):
            late, put = [], there.redis.put
            there.redis.put = lambda *stored: late.append(stored)
            await there.page()
            await here.write(message_to(stock, 3))
            await here.page()
            await eventually(lambda: here.redis.puts, "the newer one is there")
            for stored in late:
                put(*stored)
            await eventually(lambda: there.redis.puts, "the older one has replaced it")
        async with Node(stock, redis_url=redis_url) as cold:
            assert await cold.is_fresh()
            await eventually(lambda: cold.redis.puts, "it is put right")
        async with Node(stock, redis_url=redis_url) as warm:
            await warm.page()
            assert (warm.cache.counts.second, warm.cache.counts.loaded) == (1, 0)

    async def test_a_thread_from_redis_says_the_seq_that_it_is_labelled_with(self, stock, threads, redis_url):
        async def thread(node):
            answer, _ = await node.pages.messages(node.identity(), threads[3], limit=5)
            return answer.version, msgspec.json.decode(answer.body)["seq"]

        async with Node(stock, redis_url=redis_url) as node:
            held, put = [], node.redis.put
            node.redis.put = lambda *stored: held.append(stored)
            await thread(node)
            await node.write(quiet(stock))
            await thread(node)  # known by now to be true of the newer seq, too
            put(*held[0])
            await eventually(lambda: node.redis.puts, "it is in Redis")
            known = node.head()
        async with Node(stock, redis_url=redis_url) as cold:
            assert await thread(cold) == (f'"{known}"', known.seq)
            assert cold.cache.counts.second == 1

    async def test_a_value_older_than_what_is_known_of_the_log_is_not_believed(
        self, stock, threads, redis_url
    ):
        async with Node(stock, redis_url=redis_url) as node:
            await node.page()
            await eventually(lambda: node.redis.puts, "it is in Redis")
            await node.write(message_to(stock, 3))
            for _ in range(6):
                await node.write(quiet(stock))
        async with Node(stock, redis_url=redis_url, history=3) as cold:
            assert await cold.is_fresh()

    async def test_old_values_that_come_back_after_a_failover_are_not_believed(
        self, stock, threads, redis_url, shared_redis
    ):
        client = shared_redis.client()
        async with Node(stock, redis_url=redis_url) as node:
            await node.page()
            await eventually(lambda: node.redis.puts, "it is in Redis")
            old = {key: client.dump(key) for key in client.scan_iter()}
            assert old
            await node.write(message_to(stock, 3))
            client.flushall()
            assert await node.is_fresh()
            for key, value in old.items():
                client.restore(key, 60_000, value, replace=True)
            assert await node.is_fresh()
        async with Node(stock, redis_url=redis_url) as cold:
            assert await cold.is_fresh()
        client.close()

    async def test_a_redis_that_hangs_costs_a_few_reads_a_moment_and_comes_back(
        self, stock, threads, own_redis
    ):
        async with in_redis(stock, own_redis) as node:
            own_redis.freeze()
            for number in range(6):
                await node.page(limit=number + 6)
                await node.write(message_to(stock, number))
                assert await node.is_fresh()
            assert (node.redis.broken, node.redis.breaks) == (True, 1)
            assert node.redis.errors <= 4, "who comes later does not wait"
            own_redis.thaw()
            await eventually(lambda: not node.redis.broken, "it is used again", 2)

    async def test_a_redis_that_was_silent_for_a_moment_is_asked_again_however_many_waited(
        self, stock, threads, own_redis
    ):
        async with in_redis(stock, own_redis) as node:
            own_redis.freeze()
            await asyncio.gather(*(node.page(limit=number + 6) for number in range(20)))
            assert (node.redis.errors, node.redis.broken) == (20, False)
            own_redis.thaw()
            with own_redis.client() as client:
                client.ping()
            await node.page(limit=6)
            assert node.redis.breaks == 0

    async def test_a_redis_that_we_have_no_time_to_listen_to_is_not_taken_for_a_silent_one(
        self, stock, threads, redis_url
    ):
        async with Node(stock, redis_url=redis_url) as node:
            reading = [asyncio.ensure_future(node.page(limit=number + 6)) for number in range(6)]
            while not all(each.done() for each in reading):
                busy_until = clock() + 0.008
                while clock() < busy_until:
                    pass
                await asyncio.sleep(0)
            await asyncio.gather(*reading)
            assert (node.redis.errors, node.redis.breaks) == (0, 0)

    async def test_many_who_read_at_once_ask_it_on_one_connection(self, stock, threads, own_redis):
        async with Node(stock, redis_url=own_redis.url) as node:
            with own_redis.client() as client:
                before = client.info("stats")["total_connections_received"]
                await asyncio.gather(*(node.page(limit=number + 1) for number in range(60)))
                await eventually(lambda: node.redis.puts == 60, "all are in Redis")
                assert client.info("stats")["total_connections_received"] - before <= 1
            assert node.redis.errors == 0

    async def test_a_redis_that_dies_and_comes_back_empty_is_used_again(self, stock, threads, own_redis):
        async with Node(stock, redis_url=own_redis.url) as node:
            await node.page()
            own_redis.kill()
            for number in range(6):
                await node.page(limit=number + 6)
                await node.write(message_to(stock, number))
                assert await node.is_fresh()
            own_redis.start()
            await eventually(lambda: not node.redis.broken, "it is used again", 2)
            puts = node.redis.puts
            await node.page(limit=50)
            await eventually(lambda: node.redis.puts > puts, "it is written to again")

    @pytest.mark.parametrize("address", ["redis://127.0.0.1:1/0", "redis://:wrong@{host}/0"])
    async def test_a_redis_that_refuses_us_is_done_without(self, stock, threads, own_redis, address):
        url = address.format(host=f"127.0.0.1:{own_redis.port}")
        with own_redis.client() as client:
            client.config_set("requirepass", "right")
        async with Node(stock, redis_url=url) as node:
            assert await node.is_fresh()
            await node.write(message_to(stock, 3))
            assert await node.is_fresh()
            assert node.redis.broken
