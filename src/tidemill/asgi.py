"""The server as one ASGI application, and the worker process that runs it."""
