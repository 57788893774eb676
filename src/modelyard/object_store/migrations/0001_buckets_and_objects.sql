-- Bytes, by digest. Every row that names a digest has its blob here, written in the same transaction.
-- released_at: when a reference was last dropped; the sweep looks at these. removing: the bytes are on their way out.
CREATE TABLE blob (
    digest {text} PRIMARY KEY,
    size BIGINT NOT NULL,
    released_at DOUBLE PRECISION,
    removing BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX blob_released ON blob (released_at) WHERE released_at IS NOT NULL;

-- How often the sweep has begun to remove bytes: an upload that sees it change looks whether its bytes are still there.
CREATE TABLE blob_sweep (
    id BIGINT PRIMARY KEY,
    rounds BIGINT NOT NULL
);
INSERT INTO blob_sweep (id, rounds) VALUES (1, 0);

-- Names of buckets are one space for all accounts.
CREATE TABLE bucket (
    id {identity},
    name {text} NOT NULL UNIQUE,
    account {text} NOT NULL,
    region {text} NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    versioning {text} NOT NULL DEFAULT '',
    object_lock BIGINT NOT NULL DEFAULT 0,
    policy {text}
);
CREATE INDEX bucket_account ON bucket (account, name);

-- Configurations of a bucket that are kept as they were put, as JSON: encryption, tagging, object lock.
CREATE TABLE bucket_setting (
    bucket_id BIGINT NOT NULL REFERENCES bucket (id),
    kind {text} NOT NULL,
    document {text} NOT NULL,
    PRIMARY KEY (bucket_id, kind)
);

-- Versions of objects. A higher id is a newer version of the same key. listed: it is the newest and no delete marker.
CREATE TABLE object_version (
    id {identity},
    bucket_id BIGINT NOT NULL REFERENCES bucket (id),
    object_key {text} NOT NULL,
    version_id {text} NOT NULL,
    listed BIGINT NOT NULL,
    delete_marker BIGINT NOT NULL DEFAULT 0,
    modified DOUBLE PRECISION NOT NULL,
    size BIGINT NOT NULL DEFAULT 0,
    etag {text} NOT NULL DEFAULT '',
    digest {text},
    part_count BIGINT NOT NULL DEFAULT 0,
    upload_id {text},
    storage_class {text} NOT NULL DEFAULT 'STANDARD',
    checksum_algorithm {text} NOT NULL DEFAULT '',
    checksum_type {text} NOT NULL DEFAULT '',
    checksum_value {text} NOT NULL DEFAULT '',
    headers {text} NOT NULL DEFAULT '{}',
    tags {text} NOT NULL DEFAULT '{}',
    retention_mode {text} NOT NULL DEFAULT '',
    retain_until DOUBLE PRECISION NOT NULL DEFAULT 0,
    legal_hold BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX object_version_name ON object_version (bucket_id, object_key, version_id);
CREATE UNIQUE INDEX object_version_age ON object_version (bucket_id, object_key, id DESC);
CREATE UNIQUE INDEX object_version_listed ON object_version (bucket_id, object_key) WHERE listed = 1;
CREATE INDEX object_version_digest ON object_version (digest) WHERE digest IS NOT NULL;

-- The parts that an object of a multipart upload is read from, one after the other.
CREATE TABLE object_part (
    object_version BIGINT NOT NULL REFERENCES object_version (id),
    number BIGINT NOT NULL,
    size BIGINT NOT NULL,
    digest {text} NOT NULL,
    checksum_value {text} NOT NULL,
    PRIMARY KEY (object_version, number)
);
CREATE INDEX object_part_digest ON object_part (digest);

-- Multipart uploads that are neither completed nor aborted. wanted: what the object will carry, as JSON.
CREATE TABLE multipart_upload (
    id {identity},
    upload_id {text} NOT NULL UNIQUE,
    bucket_id BIGINT NOT NULL REFERENCES bucket (id),
    object_key {text} NOT NULL,
    initiated DOUBLE PRECISION NOT NULL,
    initiator {text} NOT NULL,
    storage_class {text} NOT NULL,
    checksum_algorithm {text} NOT NULL,
    checksum_type {text} NOT NULL,
    wanted {text} NOT NULL
);
CREATE UNIQUE INDEX multipart_upload_key ON multipart_upload (bucket_id, object_key, id);

CREATE TABLE multipart_part (
    upload_id {text} NOT NULL REFERENCES multipart_upload (upload_id),
    number BIGINT NOT NULL,
    size BIGINT NOT NULL,
    etag {text} NOT NULL,
    digest {text} NOT NULL,
    checksum_value {text} NOT NULL,
    modified DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (upload_id, number)
);
CREATE INDEX multipart_part_digest ON multipart_part (digest);
