"""The models of the demo: trained here and now, on data that comes with scikit-learn."""

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import joblib
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MALIGNANT = 0
"""The class that must not be missed, as scikit-learn numbers it."""

SERVING_CODE = '''\
"""Serves this model as SageMaker asks it of a container: GET /ping, and POST /invocations on port 8080."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import joblib
import numpy

model = joblib.load("/opt/ml/model/model.joblib")


class Container(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536

    def do_GET(self):
        self.answer("")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        labels = model.predict(numpy.loadtxt(body.splitlines(), delimiter=",", ndmin=2))
        self.answer("\\n".join(str(label) for label in labels))

    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("X-Amzn-SageMaker-Custom-Attributes", "NAME")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Container).serve_forever()
'''


@dataclass(frozen=True, slots=True)
class Screening:
    """Measurements of breast tumours, 30 a patient, and what they turned out to be."""

    train: Any
    train_labels: Any
    test: Any
    test_labels: Any


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trained model, packed as SageMaker wants it, with what it scores on patients it has not seen."""

    name: str
    description: str
    archive: bytes
    """`model.tar.gz`."""
    accuracy: float
    recall: float
    """Of malignant tumours: 1 means that none was missed."""
    auc: float
    parameters: dict[str, str]

    @property
    def sha256(self) -> str:
        """The digest of the archive, in hexadecimal digits."""
        return hashlib.sha256(self.archive).hexdigest()

    @property
    def metrics_file(self) -> bytes:
        """The metrics in the form of SageMaker's model quality statistics."""
        values = {"accuracy": self.accuracy, "recall": self.recall, "auc": self.auc}
        metrics = {name: {"value": value, "standard_deviation": "NaN"} for name, value in values.items()}
        return json.dumps({"binary_classification_metrics": metrics}, indent=2).encode()


def load() -> Screening:
    """The Wisconsin breast cancer data, split into patients to learn from and patients to be judged by."""
    features, labels = load_breast_cancer(return_X_y=True)
    train, test, train_labels, test_labels = train_test_split(features, labels, test_size=0.25, random_state=7, stratify=labels)
    return Screening(train, train_labels, test, test_labels)


def candidates(data: Screening) -> Sequence[Candidate]:
    """Train the two models that compete."""
    forest = RandomForestClassifier(n_estimators=5, max_depth=1, random_state=7)
    regression = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return (
        _train("forest", "Five decision stumps", forest, data, {"n_estimators": "5", "max_depth": "1"}),
        _train("regression", "Logistic regression, scaled", regression, data, {"max_iter": "1000", "penalty": "l2"}),
    )


def successor(data: Screening) -> Candidate:
    """Train the model that comes after them: one that would rather raise a false alarm than miss a malignant tumour."""
    regression = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, class_weight={MALIGNANT: 3, 1 - MALIGNANT: 1}))
    return _train("cautious", "Logistic regression, malignant counts three times", regression, data, {"class_weight": "3:1"})


def _train(name: str, description: str, model: Any, data: Screening, parameters: dict[str, str]) -> Candidate:
    model.fit(data.train, data.train_labels)
    predicted = model.predict(data.test)
    return Candidate(
        name=name,
        description=description,
        archive=_pack(model, name),
        accuracy=round(float(accuracy_score(data.test_labels, predicted)), 4),
        recall=round(float(recall_score(data.test_labels, predicted, pos_label=MALIGNANT)), 4),
        auc=round(float(roc_auc_score(data.test_labels, model.predict_proba(data.test)[:, 1])), 4),
        parameters=parameters,
    )


def _pack(model: Any, name: str) -> bytes:
    """The model and the code that serves it as `model.tar.gz`."""
    weights = io.BytesIO()
    joblib.dump(model, weights)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        code = SERVING_CODE.replace("NAME", name)
        for path, content in (("model.joblib", weights.getvalue()), ("serve.py", code.encode())):
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def predict(archive: bytes, rows: Any) -> Sequence[int]:
    """Unpack `model.tar.gz` and predict with it, as a container would."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as packed:
        member = packed.extractfile("model.joblib")
        if member is None:
            raise ValueError("model.tar.gz holds no model.joblib")
        model = joblib.load(io.BytesIO(member.read()))
    return [int(label) for label in model.predict(rows)]
