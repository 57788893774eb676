"""Saves the model as MLflow keeps it: `save_for_mlflow.py FOLDER`, in MLflow's environment."""

import sys

import mlflow.sklearn
from logistic_regression import model

mlflow.sklearn.save_model(model, sys.argv[1], pyfunc_predict_fn="predict_proba", serialization_format="cloudpickle")
