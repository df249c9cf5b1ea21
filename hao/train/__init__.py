"""One training loop for float and quantization-aware training, with its data feed, losses, evaluation and checkpoints."""
