"""The product's loop: asyncio's own logs a line for each write to who has gone, and the log's records are kept."""

import uvloop


def pytest_asyncio_loop_factories():
    return {"uvloop": uvloop.new_event_loop}
