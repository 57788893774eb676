-- What an operation answered to a ClientToken, so that a repeated request gets the same answer and makes nothing new.
CREATE TABLE client_token (
    id {identity},
    token_digest {blob} NOT NULL UNIQUE,
    request_digest {blob} NOT NULL,
    response {text} NOT NULL,
    created DOUBLE PRECISION NOT NULL
);

-- Tags of every resource that AddTags may name; access decisions read them.
CREATE TABLE resource_tag (
    arn {text} NOT NULL,
    tag_key {text} NOT NULL,
    tag_value {text} NOT NULL,
    PRIMARY KEY (arn, tag_key)
);
