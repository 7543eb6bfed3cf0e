"""Pages for admins, who say who may do what."""
