"""KMS: keys, their policies and grants, and what is encrypted under them."""
