"""Who asks, and may they: signatures, principals, policy documents, decisions that carry their reason."""
