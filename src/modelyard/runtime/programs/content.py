"""What stands in bodies: read by Content-Type, written by Accept."""

import io
import json
from collections.abc import Callable
from typing import Any

from .failure import RequestFailure

JSON, CSV, NPY, JSON_LINES = "application/json", "text/csv", "application/x-npy", "application/jsonlines"
LIBSVM = ("text/libsvm", "text/x-libsvm")
TEXTS = (JSON, CSV)
"""What input_fn gets as text; everything else it gets as bytes."""


def media_type(header: str) -> str:
    """A Content-Type without its parameters."""
    return header.partition(";")[0].strip().lower()


def accepted(header: str, default: str) -> str:
    """What an Accept asks for first."""
    first = media_type(header.partition(",")[0])
    return default if first in ("", "*/*") else first


def as_given(body: bytes, content_type: str) -> str | bytes:
    """A body as input_fn gets it."""
    if content_type not in TEXTS:
        return body
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestFailure(400, f"The body is not UTF-8: {error}") from None


def read_array(body: bytes, content_type: str) -> Any:
    """A numpy array out of a body. Raises RequestFailure."""
    reader = _READERS.get(content_type)
    if reader is None:
        raise RequestFailure(415, f"Content type {content_type} is not supported: there are {', '.join(_READERS)}.")
    try:
        return reader(body)
    except (ValueError, TypeError, KeyError, EOFError, OSError) as error:
        raise RequestFailure(400, f"The body cannot be read as {content_type}: {error}") from None


def _json_array(body: bytes) -> Any:
    import numpy

    found = json.loads(body)
    if isinstance(found, dict) and "instances" in found:
        found = found["instances"]
    return numpy.array(found)


def _json_lines_array(body: bytes) -> Any:
    import numpy

    return numpy.array([json.loads(line) for line in body.splitlines() if line.strip()])


def _csv_array(body: bytes) -> Any:
    """Rows of numbers; an empty field is NaN."""
    import numpy

    lines = [line for line in body.decode("utf-8").splitlines() if line.strip()]
    return numpy.array([[float(field) if field.strip() else numpy.nan for field in line.split(",")] for line in lines])


def _npy_array(body: bytes) -> Any:
    import numpy

    return numpy.load(io.BytesIO(body), allow_pickle=False)


_READERS: "dict[str, Callable[[bytes], Any]]" = {
    CSV: _csv_array,
    JSON: _json_array,
    NPY: _npy_array,
    JSON_LINES: _json_lines_array,
}


def write(prediction: Any, accept: str) -> bytes:
    """A prediction as it goes out. Raises RequestFailure."""
    if isinstance(prediction, (bytes, bytearray)):
        return bytes(prediction)
    if isinstance(prediction, str):
        return prediction.encode("utf-8")
    writer = _WRITERS.get(accept)
    if writer is None:
        raise RequestFailure(406, f"Accept type {accept} is not supported: there are {', '.join(_WRITERS)}.")
    return writer(prediction)


def _plain(value: Any) -> Any:
    """Lists and numbers, where it was an array or a table."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return value.to_dict(orient="records")
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(one) for one in value]
    return value


def _rows(prediction: Any) -> "list[Any]":
    plain = _plain(prediction)
    return plain if isinstance(plain, list) else [plain]


def _write_json(prediction: Any) -> bytes:
    return json.dumps(_plain(prediction)).encode("utf-8")


def _write_json_lines(prediction: Any) -> bytes:
    return b"".join(json.dumps(row).encode("utf-8") + b"\n" for row in _rows(prediction))


def _write_csv(prediction: Any) -> bytes:
    if hasattr(prediction, "to_csv"):
        return str(prediction.to_csv(index=False)).encode("utf-8")
    lines = (",".join(map(str, row)) if isinstance(row, (list, tuple)) else str(row) for row in _rows(prediction))
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


def _write_npy(prediction: Any) -> bytes:
    import numpy

    buffer = io.BytesIO()
    numpy.save(buffer, numpy.asarray(prediction), allow_pickle=False)
    return buffer.getvalue()


_WRITERS: "dict[str, Callable[[Any], bytes]]" = {
    JSON: _write_json,
    CSV: _write_csv,
    NPY: _write_npy,
    JSON_LINES: _write_json_lines,
}
