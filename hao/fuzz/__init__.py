"""Fuzzing: random networks and programs on every engine, compared value by value, failures shrunk to reproducers."""
