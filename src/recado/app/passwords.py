"""Passwords, as argon2id hashes. Hashing is heavy on purpose, so it runs in a thread of its own."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from recado.domain.text import is_clean
from recado.errors import FieldError, InvalidError

MIN_PASSWORD_CHARS = 10
MAX_PASSWORD_CHARS = 1_024


def check_new_password(path: str, password: str) -> None:
    """Raises InvalidError for one that is too short or too long, or that no keyboard's text can be."""
    if not is_clean(password):
        raise InvalidError(f"{path}: must be text in UTF-8", errors=[FieldError(path, "malformed")])
    if len(password) < MIN_PASSWORD_CHARS:
        raise InvalidError(
            f"{path}: must have at least {MIN_PASSWORD_CHARS} characters",
            errors=[FieldError(path, "too_short")],
        )
    if len(password) > MAX_PASSWORD_CHARS:
        raise InvalidError(
            f"{path}: must have at most {MAX_PASSWORD_CHARS} characters",
            errors=[FieldError(path, "too_long")],
        )


class Passwords:
    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        # One thread: however many log in at once, the hashes' memory (64 MiB each) stays one hash's.
        self._thread = ThreadPoolExecutor(1, "recado-password")
        self._nobody = self._hasher.hash("nobody")

    def hash(self, password: str) -> str:
        return self._hasher.hash(password)

    async def make_hash(self, password: str) -> str:
        """`hash`, off the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Takes as long for an unknown member (`None`) as for a wrong password."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, self._verify, password_hash or self._nobody, password
        ) and (password_hash is not None)

    def close(self) -> None:
        self._thread.shutdown()

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
