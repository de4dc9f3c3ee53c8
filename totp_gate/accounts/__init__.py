"""What people do with their accounts, without HTTP: use cases over a store."""
