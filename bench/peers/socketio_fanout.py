"""python-socketio as its documentation shows it, on uvicorn and uvloop: rooms, WebSocket only.

socketio_fanout.py PORT
"""

import sys

import socketio
import uvicorn

sio = socketio.AsyncServer(async_mode="asgi", transports=["websocket"], ping_timeout=60)


@sio.on("join")
async def join(sid, room):
    await sio.enter_room(sid, room)


@sio.on("pub")
async def pub(_sid, payload, room="r"):
    await sio.emit("msg", payload, room=room)


if __name__ == "__main__":
    uvicorn.run(
        socketio.ASGIApp(sio),
        port=int(sys.argv[1]),
        loop="uvloop",
        log_level="warning",
        ws_per_message_deflate=False,
        backlog=4096,
    )
