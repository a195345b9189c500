"""Answers that need not be read again: in memory, and in Redis if there is one; the log judges them. docs/cache.md."""

__all__: list[str] = []
