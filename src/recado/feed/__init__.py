"""The truth on the move: each followed clinic's log, in order and without holes. docs/architecture.md, "The feed"."""

__all__: list[str] = []
