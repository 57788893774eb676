"""What a bucket tells of its objects, and to whom: its events go to EventBridge, whose rules take them on."""

from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.object_store import store
from modelyard.object_store.errors import s3_error
from modelyard.object_store.permissions import bucket_of, on_bucket
from modelyard.object_store.receiving import check_small_body

operation = operations_of("s3")

DIRECT = ("TopicConfigurations", "QueueConfigurations", "LambdaFunctionConfigurations")


@operation("PutBucketNotificationConfiguration", mode=Mode.WRITE, permissions=on_bucket("s3:PutBucketNotification"))
def put_bucket_notification_configuration(context: Context, request: Request) -> None:
    """Say that events go to EventBridge, which they do for every bucket here; anything else needs a rule."""
    check_small_body(context, request)
    configuration = request["NotificationConfiguration"]
    for member in DIRECT:
        if configuration.get(member):
            raise s3_error(
                "NotImplemented",
                f"{member} are not available in Modelyard: make an EventBridge rule for the bucket's events, with the queue or"
                " the function as its target.",
            )
    store.put_setting(context.tx, bucket_of(context, request), "notification", configuration)


@operation("GetBucketNotificationConfiguration", mode=Mode.READ, permissions=on_bucket("s3:GetBucketNotification"))
def get_bucket_notification_configuration(context: Context, request: Request) -> dict[str, Any]:
    """What was said."""
    return dict(store.setting(context.tx, bucket_of(context, request), "notification") or {})
