"""Use cases: who may (access), what changes (inbox), what is read (queries), who is there (sessions). design.md 3, 4, 7."""

__all__: list[str] = []
