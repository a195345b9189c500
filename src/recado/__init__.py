"""Recado: a real-time conversation inbox for clinics.

General layout, top to bottom; a layer imports only from those below it::

    cli → server → realtime | rest | channels → app → feed → store → domain | protocol
        → config | observe → errors

`docs/architecture.md` tells the path of a message through them.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
