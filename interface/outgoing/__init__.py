"""Requests to other servers: the only place from which the service opens HTTP connections."""
