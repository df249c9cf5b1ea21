"""The integer graph: typed tensors and operators with exact integer meaning.

:mod:`~hao.ir.graph` the nodes, :mod:`~hao.ir.types` types and bounds, :mod:`~hao.ir.check` legality,
:mod:`~hao.ir.reference` the executor that judges all others, :mod:`~hao.ir.serialize` files,
:mod:`~hao.ir.random_graph` random legal networks.
"""
