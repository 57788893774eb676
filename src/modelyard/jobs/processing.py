"""DataProcessing: what of the input a model gets, how answers are joined to what they answer, and what of that is written."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from modelyard.jobs import json_path
from modelyard.jobs.json_path import NothingThere
from modelyard.jobs.transform_job import LINE, NONE, Kind, kind_of

OUTPUT, INPUT = "SageMakerOutput", "SageMakerInput"


_UNREADABLE = (ValueError, csv.Error, RecursionError)
"""What reading and writing records raise, also for JSON that is nested too deeply, or has halves of characters."""


class NotProcessed(Exception):
    """Records that cannot be filtered or joined; the text says why."""


class Processing:
    """How the records of one job are processed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        given, wanted = document["DataProcessing"], document["TransformOutput"]
        self._input_filter: str = given["InputFilter"]
        self._output_filter: str = given["OutputFilter"]
        self._joins = given["JoinSource"] != NONE
        self._kind = kind_of(document["TransformInput"].get("ContentType"))
        self._accept: str | None = wanted.get("Accept")
        self._lines = wanted["AssembleWith"] == LINE
        self._split = document["TransformInput"]["SplitType"] == LINE

    def sent(self, payload: bytes) -> bytes:
        """What of a payload the model gets. Raises NotProcessed."""
        if self._input_filter == "$":
            return payload
        assert self._kind is not None, "a filter has been checked"
        records = self._records(payload, self._kind, "input")
        return _written(self._filtered(records, self._input_filter, "InputFilter"), self._kind)

    def written(self, payload: bytes, answer: bytes, content_type: str | None) -> bytes:
        """What is written of the answer to a payload. Raises NotProcessed."""
        if self._joins or self._output_filter != "$":
            answer = self._processed(payload, answer, content_type)
        return answer + b"\n" if self._lines and not answer.endswith(b"\n") else answer

    def _processed(self, payload: bytes, answer: bytes, content_type: str | None) -> bytes:
        kind = kind_of(content_type) or kind_of(self._accept) or self._kind
        if kind is None:
            raise NotProcessed(f"An output of the type {content_type} cannot be filtered: CSV, JSON and JSON Lines can.")
        records = self._records(answer, kind, "output")
        if self._joins:
            records = self._joined(payload, records, kind)
        return _written(self._filtered(records, self._output_filter, "OutputFilter"), kind)

    def _joined(self, payload: bytes, answers: Sequence[Any], kind: Kind) -> list[Any]:
        assert self._kind is not None, "joining has been checked"
        if (kind is Kind.CSV) is not (self._kind is Kind.CSV):
            raise NotProcessed(f"An output that is {kind} cannot be joined to an input that is {self._kind}.")
        given = self._records(payload, self._kind, "input")
        if len(given) != len(answers):
            raise NotProcessed(f"The model answered {len(answers)} records to {len(given)}, so they cannot be joined.")
        join = _of_rows if kind is Kind.CSV else _of_values
        return [join(one, answer) for one, answer in zip(given, answers, strict=True)]

    def _records(self, content: bytes, kind: Kind, what: str) -> list[Any]:
        try:
            text = content.decode("utf-8")
            if kind is Kind.CSV:
                return [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
            return self._values(text, kind)
        except _UNREADABLE as error:
            raise NotProcessed(f"The {what} is not {kind}: {error}") from None

    def _values(self, text: str, kind: Kind) -> list[Any]:
        if kind is Kind.JSON and not self._split:
            return [json.loads(text)]
        try:
            return [json.loads(line) for line in text.split("\n") if line.strip()]
        except ValueError:
            if kind is Kind.JSON:
                return [json.loads(text)]  # one document on several lines
            raise

    def _filtered(self, records: Sequence[Any], path: str, member: str) -> list[Any]:
        try:
            return [json_path.find(record, path) for record in records]
        except NothingThere as error:
            raise NotProcessed(f"The {member} {path} finds nothing in a record: {error}.") from None


def _of_rows(given: list[str], answer: list[str]) -> list[str]:
    return [*given, *answer]


def _of_values(given: Any, answer: Any) -> dict[str, Any]:
    return {**(given if isinstance(given, dict) else {INPUT: given}), OUTPUT: answer}


def _written(records: Sequence[Any], kind: Kind) -> bytes:
    """Records as text, with line ends between them. Raises NotProcessed."""
    try:
        return _text(records, kind).encode()
    except _UNREADABLE as error:
        raise NotProcessed(f"What was made of it cannot be written as {kind}: {error}") from None


def _text(records: Sequence[Any], kind: Kind) -> str:
    if kind is not Kind.CSV:
        return "\n".join(json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in records)
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\n")
    writer.writerows(record if isinstance(record, list) else [record] for record in records)
    return written.getvalue().removesuffix("\n")
