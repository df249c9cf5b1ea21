"""Networks from elsewhere to graphs: :func:`hao.frontend.torch_import.from_torch`."""
