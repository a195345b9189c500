"""For every test: a real clinic on a real database, and log lines as the product writes them."""

import asyncio

import pytest

from recado import observe
from stock import make_stock

observe.configure("debug", "json")


@pytest.fixture
def stock(tmp_path):
    """A migrated database with one clinic, a channel and a member."""
    made = make_stock(tmp_path / "recado.db")
    yield made
    made.database.close()


@pytest.fixture
async def writing(stock):
    """The stock with its writer running."""
    task = asyncio.create_task(stock.writer.run())
    yield stock
    stock.writer.close()
    await task
