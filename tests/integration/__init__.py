"""The gate as people run it: gunicorn in front, real clock, real hashes, real files."""
