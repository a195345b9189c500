"""The gateway answers every event of the table, and no other."""

from recado.app.vocabulary import CLIENT_EVENTS
from recado.realtime.gateway import Gateway


def test_every_event_of_the_table_has_its_handler():
    gateway = Gateway(
        rooms=None,
        sessions=type("Sessions", (), {"on_end": lambda self, listener: None})(),
        access=None,
        queries=None,
        inbox=None,
        clinics=None,
        channels=None,
        feed=None,
        origins=None,
        now=None,
    )
    assert list(gateway._handlers) == list(CLIENT_EVENTS)
