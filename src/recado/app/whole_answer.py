"""An ASGI extension of our server's: a whole answer in one call. What serves and what answers know each other by it.

A function `(scope, status, headers, body)` that answers at once, and returns whether it could. Through uvicorn's `send`
an answer costs a task's turn and two system calls. Without it, as under any other server, answers go by `send`.
"""

WHOLE_ANSWER = "recado.whole_answer"
