"""For every test: log lines as the product writes them, so that no library's default shows values."""

from recado import observe

observe.configure("debug", "json")
