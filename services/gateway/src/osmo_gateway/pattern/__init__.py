"""Regular expressions of strangers, searched in time that grows only with the text (`search.compile_search`)."""
