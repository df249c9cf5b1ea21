"""The command line. Imports nothing at start-up: each command imports what it needs when it runs."""
