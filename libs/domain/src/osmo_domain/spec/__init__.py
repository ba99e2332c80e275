"""What the user wrote: sections, rendering, parsing with places, validation, and the plan made of it."""
