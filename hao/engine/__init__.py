"""The engine's contract: configuration, instruction set and register map."""
