"""Functions to be invoked by tests: their code as it would be uploaded, and a role to run under."""

import io
import json
import zipfile
from typing import Any

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)
ECHO = "def handler(event, context):\n    return event\n"


def zipped(code: str = ECHO, **files: str) -> bytes:
    """A deployment package with `app.py`, and other files by name."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("app.py", code)
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def role(iam: Any, name: str, *actions: str) -> str:
    """A role that Lambda may assume and that may do these actions on everything; its ARN."""
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    if actions:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=name, PolicyName="does", PolicyDocument=policy)
    return arn
