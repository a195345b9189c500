"""Use cases: who may (access), what changes (inbox), what is read (queries), who is there (sessions)."""

__all__: list[str] = []
