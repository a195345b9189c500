"""The inbox's rules, pure: values, commands, events, decide and evolve, and who may do what.

Nothing here knows a database, a socket or a clock: time and ids are arguments.
"""

__all__: list[str] = []
