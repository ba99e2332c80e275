"""Front door for every user request: render, validate, admit, append."""
