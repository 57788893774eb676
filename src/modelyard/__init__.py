"""Modelyard: a model registry that people own and that speaks SageMaker."""

__version__ = "0.1.0"
