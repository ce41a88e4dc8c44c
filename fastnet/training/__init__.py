"""A batch's whole way: inputs, batches, the step, the loops."""
