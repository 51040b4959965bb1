"""MNIST embedded, and the small plain pieces that learn to read it."""
