"""Sockets: transports, links, sessions, rooms and their one engine; the gateway plugs the application in.

    uvicorn → first_read → picows_protocol → picows_transport → link (one per client: state machine, outbound list)
                       └ http_protocol → polling → polling_transport ┘ └ session (one per joined namespace)
    rooms → sessions' links → flusher: everything one loop tick produced leaves in one write per client

Must not know the store or REST. Ruled by docs/realtime.md.
"""

__all__: list[str] = []
