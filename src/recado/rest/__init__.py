"""HTTP: decode, authenticate, refuse, answer (docs/rest.md).

Knows the use cases of `recado.app` and nothing below their values. Sockets and webhooks are its siblings: what
they serve over HTTP is handed in as routes.
"""

from recado.rest.application import create_application

__all__ = ["create_application"]
