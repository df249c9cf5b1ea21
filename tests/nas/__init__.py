"""Architecture search end to end."""
