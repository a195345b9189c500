"""Where patients are: webhooks in, the outbox's sender out, and a stand-in for the provider (docs/channels.md).

Knows neither sockets nor the REST application; `server.py` hands its routes to the one and its sender to the loop.
"""
