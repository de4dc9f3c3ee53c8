"""Where users are found: the settings file, the store, an htpasswd file."""
