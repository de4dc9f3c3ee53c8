"""The gate's own pages and endpoints, all under its prefix."""
