"""Questions to a model: its summary, its profile, its gradients, its environment."""
