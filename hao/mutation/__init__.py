"""Mutation testing: small faults put into reference, compiler and RTL, and the share of them that the tests see."""
