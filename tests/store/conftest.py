import asyncio

import pytest

from stock import make_stock


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
