"""HTTP edge: REST, read model, log streams."""
