"""A route that answers bytes it has at hand, as Litestar's documentation shows: litestar_bytes.py PORT FILE."""

import sys
from pathlib import Path

import uvicorn
from litestar import Litestar, MediaType, Response, get

BODY = Path(sys.argv[2]).read_bytes()


@get("/")
async def page() -> Response[bytes]:
    return Response(BODY, media_type=MediaType.JSON)


if __name__ == "__main__":
    uvicorn.run(
        Litestar([page], openapi_config=None),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )
