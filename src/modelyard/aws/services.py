"""The AWS services this server can be addressed as, and how a request tells which one it is meant for.

Kept here so that a request is recognised without reading a service model; a test holds it against botocore's models.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Service:
    """What can be known of a service before its model is read."""

    name: str
    """botocore's name: `sagemaker-runtime`, `s3`."""
    protocols: tuple[str, ...]
    """The protocols this server speaks for it, the usual one first."""
    signing_name: str
    """The name in the credential scope of a signature; services may share one."""
    host: str
    """The first labels of the service's host name: `api.sagemaker` of `api.sagemaker.us-east-1.amazonaws.com`."""
    api_version: str
    target_prefix: str = ""
    """What comes before the operation in `X-Amz-Target`, for the JSON protocols; in RPC v2 CBOR, the service in the path."""


KNOWN = (
    Service("sagemaker", ("json",), "sagemaker", "api.sagemaker", "2017-07-24", "SageMaker"),
    Service("sagemaker-runtime", ("rest-json",), "sagemaker", "runtime.sagemaker", "2017-05-13"),
    Service("sagemaker-metrics", ("rest-json",), "sagemaker", "metrics.sagemaker", "2022-09-30"),
    Service("s3", ("rest-xml",), "s3", "s3", "2006-03-01"),
    Service("sts", ("query",), "sts", "sts", "2011-06-15"),
    Service("iam", ("query",), "iam", "iam", "2010-05-08"),
    Service("ecr", ("json",), "ecr", "api.ecr", "2015-09-21", "AmazonEC2ContainerRegistry_V20150921"),
    Service("kms", ("json",), "kms", "kms", "2014-11-01", "TrentService"),
    Service("lambda", ("rest-json",), "lambda", "lambda", "2015-03-31"),
    Service("events", ("json",), "events", "events", "2015-10-07", "AWSEvents"),
    Service("scheduler", ("rest-json",), "scheduler", "scheduler", "2021-06-30"),
    Service("sqs", ("json",), "sqs", "sqs", "2012-11-05", "AmazonSQS"),
    Service("logs", ("json",), "logs", "logs", "2014-03-28", "Logs_20140328"),
    Service(
        "cloudwatch",
        ("json", "smithy-rpc-v2-cbor", "query"),
        "monitoring",
        "monitoring",
        "2010-08-01",
        "GraniteServiceVersion20100801",
    ),
    Service(
        "application-autoscaling",
        ("json",),
        "application-autoscaling",
        "application-autoscaling",
        "2016-02-06",
        "AnyScaleFrontendService",
    ),
    Service("sns", ("query",), "sns", "sns", "2010-03-31"),
    Service(
        "cloudtrail",
        ("json",),
        "cloudtrail",
        "cloudtrail",
        "2013-11-01",
        "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101",
    ),
    Service("service-quotas", ("json",), "servicequotas", "servicequotas", "2019-06-24", "ServiceQuotasV20190624"),
)
"""Every AWS service whose requests are recognised; a service that no part answers still gets errors in its own protocol."""

SPOKEN = ("json", "rest-json", "rest-xml", "query", "smithy-rpc-v2-cbor")
"""The protocols this server speaks."""
