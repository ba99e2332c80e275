"""A day of work in seconds: arrivals go through the same placement as in production, in virtual time, without a server."""
