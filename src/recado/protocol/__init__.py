"""Engine.IO v4, Socket.IO v5 and WebSocket frames as pure rules: data and `now` go in, packets and outcomes come out.

Nothing here knows a loop, a clock or a socket, so that every rule of the wire is tested without any of them.
"""

__all__: list[str] = []
