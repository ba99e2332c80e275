"""One module per command; each has `configure(parser)` and is imported only when it is typed."""
