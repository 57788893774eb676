"""ECR: repositories of images, their policies, manifests and layers."""
