"""Sockets: transports, links, sessions, rooms and their one engine; the gateway plugs the application in.

    uvicorn → http_protocol → picows_transport → link (one per client: state machine, outbound list)
                                                  └ session (one per joined namespace: what the application holds)
    rooms → sessions' links → flusher: everything one loop tick produced leaves in one write per client

Must not know the store or REST. Ruled by docs/realtime.md.
"""

__all__: list[str] = []
