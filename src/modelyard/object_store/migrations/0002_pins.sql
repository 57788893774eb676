-- Versions of objects whose bytes stay, whatever becomes of the object: `holder` is the ARN of what relies on them. `facts` is
-- what was known of the version, as JSON, since its own row may go. Not tied to the bucket by a key: that may go as well.
CREATE TABLE object_pin (
    id {identity},
    holder {text} NOT NULL,
    bucket_id BIGINT NOT NULL,
    object_key {text} NOT NULL,
    version_id {text} NOT NULL,
    facts {text} NOT NULL
);
CREATE INDEX object_pin_by_holder ON object_pin (holder);
CREATE INDEX object_pin_by_version ON object_pin (bucket_id, object_key, version_id);

-- The bytes of a pinned version: its parts, or the whole of it as the one part number 0.
CREATE TABLE pinned_part (
    pin BIGINT NOT NULL REFERENCES object_pin (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    size BIGINT NOT NULL,
    digest {text} NOT NULL,
    checksum_value {text} NOT NULL,
    PRIMARY KEY (pin, number)
);
CREATE INDEX pinned_part_digest ON pinned_part (digest);
