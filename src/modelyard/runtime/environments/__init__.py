"""What images become here: recipes, and the environments that are built from them."""
