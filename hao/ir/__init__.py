"""The integer graph: typed tensors and operators with exact integer meaning."""
