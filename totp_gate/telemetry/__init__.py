"""What operators see: events and figures, never a secret."""
