"""Tables for XGBoost: LIBSVM and CSV, from a body or from the files of a channel."""

from pathlib import Path
from typing import Any


def read_libsvm(body: bytes) -> "tuple[Any, Any]":
    """A sparse matrix and the labels; indices are taken as they are, from 0. Raises ValueError."""
    import numpy
    from scipy.sparse import csr_matrix

    labels, rows, columns, values = [], [], [], []
    number = 0
    for line in body.decode("utf-8").splitlines():
        tokens = line.partition("#")[0].split()
        if not tokens:
            continue
        has_label = ":" not in tokens[0]
        labels.append(float(tokens[0].partition(":")[0]) if has_label else float("nan"))
        for token in tokens[1 if has_label else 0 :]:
            index, colon, value = token.partition(":")
            if not colon:
                raise ValueError(f"'{token}' in line {number + 1} is not of the form INDEX:VALUE")
            rows.append(number)
            columns.append(int(index))
            values.append(float(value))
        number += 1
    shape = (number, max(columns, default=-1) + 1)
    if shape[1] == 0 or min(columns) < 0:
        raise ValueError("there is no INDEX:VALUE in it")
    return csr_matrix((numpy.array(values), (rows, columns)), shape=shape), numpy.array(labels)


def read_csv(body: bytes) -> Any:
    """Rows of numbers, without names; an empty field is NaN. Raises ValueError."""
    import pandas

    return pandas.read_csv(_stream(body), header=None, dtype=float).to_numpy()


def _stream(body: bytes) -> Any:
    import io

    return io.BytesIO(body)


def channel_files(folder: Path) -> "list[Path]":
    """The files of a channel, also in folders of it, but for hidden ones."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith((".", "_")))
