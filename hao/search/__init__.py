"""The search: an integer program for accelerator, mapping and bits, and a tree search for the network around it."""
