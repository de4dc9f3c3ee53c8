"""What must survive a restart: the protocol (``base``) and its SQL form (``sql``)."""
