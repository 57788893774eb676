"""SageMaker hosting: models and endpoint configurations, made from what the registry holds."""
