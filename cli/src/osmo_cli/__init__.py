"""`osmo`, what runs on a person's machine; `osmo up` composes everything."""
