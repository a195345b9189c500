"""The truth: tables, the group-committing writer, and the queries. docs/store.md."""

__all__: list[str] = []
