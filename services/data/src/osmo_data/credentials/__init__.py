"""Users' credentials: kept encrypted in the log, given only to whoever proves that they are for it."""
