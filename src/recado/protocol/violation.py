"""The peer's fault: it broke a rule of the wire, and the connection ends. Never our own fault, never a refusal."""


class ViolationError(Exception):
    """`reason` is one of the reasons in `recado.errors.CLOSES`; the text names the rule and quotes nothing."""

    def __init__(self, rule: str, *, reason: str = "protocol error") -> None:
        super().__init__(rule)
        self.reason = reason
