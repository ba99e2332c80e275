"""`osmo up`: the whole control plane, its servers and a local backend, as children of one supervisor (docs/decisions/0004)."""
