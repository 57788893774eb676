"""Serves the model with Ray Serve: `serve_with_ray.py PORT`, in Ray's environment, until it is ended."""

import sys
import threading

import ray
from logistic_regression import model
from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse


@serve.deployment(num_replicas=1, ray_actor_options={"num_cpus": 1}, max_ongoing_requests=100)
class Regression:
    """One replica of the model."""

    async def __call__(self, request: Request) -> JSONResponse:
        """The probabilities for rows of CSV; a GET asks whether it is there."""
        if request.method == "GET":
            return JSONResponse([])
        found = [[float(cell) for cell in line.split(",")] for line in (await request.body()).decode().splitlines()]
        return JSONResponse([float(one) for one in model.predict_proba(found)[:, 1]])


ray.init(num_cpus=2, include_dashboard=False, logging_level="warning")
serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
serve.run(Regression.bind(), route_prefix="/invocations")
threading.Event().wait()
