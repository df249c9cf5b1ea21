"""Architecture search end to end: one supernet, tree search with the exact hardware in the loop, retraining, the winner as a design."""
