"""What the composition root works out by itself."""

import resource

import pytest

from recado import server
from recado.config import Config


@pytest.mark.parametrize(
    ("asked", "files", "given"),
    [
        (20_000, 1_048_576, 20_000),
        (20_000, 20_000, 19_500),
        (20_000, 256, 128),
        (0, 20_000, 19_500),
        (100, resource.RLIM_INFINITY, 100),
        (0, resource.RLIM_INFINITY, 0),
    ],
)
def test_connections_are_bounded_below_the_open_files(monkeypatch, asked, files, given):
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (files, files))
    settings = server._engine_settings(Config(secret="x" * 32, max_connections=asked))
    assert settings.max_connections == given
