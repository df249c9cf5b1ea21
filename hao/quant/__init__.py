"""From a float network to an integer one::

    model = QuantModel(network, from_torch(network, example))
    calibrate(model, batches)
    graph = to_integer(model)

A :class:`~hao.quant.model.QuantModel` computes in mode ``calibrate`` in floating point and watches ranges, in mode ``float``
with plain scales and straight-through gradients (for training). Mode ``integer`` is its
:class:`~hao.quant.export.IntegerTwin`, which runs the integer graph itself.
"""
