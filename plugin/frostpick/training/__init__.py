"""From incomplete labels to a picking model."""
