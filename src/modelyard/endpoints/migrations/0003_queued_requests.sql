-- Requests to asynchronous endpoints that were accepted and are not over. Until `due` one is left alone: it waits for its next
-- attempt, or a server, `owner`, is at it and moves `due` on while it lives. `losses` counts the instances that ended with it.
-- `document` says what to ask with what, and where the answer goes, as JSON; `body` is empty for a request that is an object.
CREATE TABLE queued_request (
    id {identity},
    endpoint BIGINT NOT NULL REFERENCES endpoint (id),
    created DOUBLE PRECISION NOT NULL,
    expires DOUBLE PRECISION NOT NULL,
    due DOUBLE PRECISION NOT NULL,
    owner {text} NOT NULL,
    losses BIGINT NOT NULL,
    document {text} NOT NULL,
    body {blob} NOT NULL
);
CREATE INDEX queued_request_by_endpoint ON queued_request (endpoint, due, id);
CREATE INDEX queued_request_by_owner ON queued_request (owner);
CREATE INDEX queued_request_by_expiry ON queued_request (endpoint, expires);
