"""A login gate for web applications: a password and a one-time code, then out of the way."""
