"""The workflow spec: from the text that a user sent to a plan.

    sections -> variables, render -> parse -> model (read by schema) -> rules -> planning

Everything is pure. What is refused is refused with `Rejected`, with the line and column of the text at hand; `trace` brings them back
to the text that the user sent.
"""
