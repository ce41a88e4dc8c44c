"""Answers questions about a model: summary, profile, gradient check, facts for reports; and the environment."""
