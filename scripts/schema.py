"""The web app's types of the REST API, made of the server's own OpenAPI document: web/src/shared/api/schema.d.ts.

    schema.py           writes the file anew
    schema.py --check   fails when it is not what the document makes

Run it after every change of a route or a shape.
"""

import json
import shutil
import subprocess
import sys
import tempfile

from prepare import ROOT, WEB, tool_env

from recado.config import Config
from recado.rest.document import describe
from recado.server import Server

SCHEMA = WEB / "src/shared/api/schema.d.ts"


def main(arguments: list[str]) -> int:
    made = types_of(document())
    if arguments != ["--check"]:
        SCHEMA.write_text(made, "utf-8")
        return 0
    if made == SCHEMA.read_text("utf-8"):
        return 0
    print(f"{SCHEMA.relative_to(ROOT)} is not what the API is now. Run .venv/bin/python scripts/schema.py")
    return 1


def document() -> str:
    """Of a server that is built and never started; its database stays empty."""
    with tempfile.TemporaryDirectory(prefix="recado-schema-") as folder:
        server = Server(Config(secret="x" * 32, database_url=f"sqlite:///{folder}/recado.db"))
        made = describe(server.application)
        server.close()
    return json.dumps(made)


def types_of(document: str) -> str:
    npx = shutil.which("npx", path=tool_env()["PATH"]) or "npx"
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(document)
        file.flush()
        command = [npx, "--no-install", "openapi-typescript", file.name, "--alphabetize"]
        done = subprocess.run(command, cwd=WEB, env=tool_env(), check=True, capture_output=True, text=True)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
