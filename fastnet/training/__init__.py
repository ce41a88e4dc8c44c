"""Training: checked inputs, batches, the training step, and the loop over batches."""
