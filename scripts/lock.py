"""Compile requirements/*.txt and web/package-lock.json again: exact versions, hashes, no registry's address.

With UPGRADE=1 to the newest versions that fit, otherwise what is locked stays where it still fits.
"""

import os
import subprocess
from pathlib import Path

from prepare import BIN, ROOT, WEB, npm, run

UV = [
    str(BIN / "uv"),
    *("pip", "compile", "--quiet", "--universal", "--generate-hashes", "--python-version=3.11"),
    # An address in a lock would bind every clone to one machine's mirror.
    *("--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate"),
    *(["--upgrade"] if os.environ.get("UPGRADE") else []),
]


def compile_requirements(name: str, *sources: str) -> None:
    output = Path("requirements") / f"{name}.txt"
    run([*UV, *sources, "--output-file", str(output)])
    print(output)


if __name__ == "__main__":
    os.chdir(ROOT)
    compile_requirements("run", "pyproject.toml", "--extra=build")
    compile_requirements(
        "dev", "pyproject.toml", "--extra=build", "--extra=dev", "--constraint=requirements/run.txt"
    )
    compile_requirements(
        "bench", "pyproject.toml", "--extra=build", "--extra=bench", "--constraint=requirements/dev.txt"
    )
    compile_requirements("node", "requirements/node.in")
    npm("install", "--package-lock-only", "--ignore-scripts", "--omit-lockfile-registry-resolved")
    subprocess.run(["node", "scripts/complete-lock.mjs"], cwd=WEB, check=True)
