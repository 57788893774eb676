-- An artifact, an action or a context. `handle` is the last part of its ARN: a digest for artifacts, the name in lower case for the
-- others. `source_key` is 8 bytes of a digest of its SourceUri. `document` is what Describe answers.
CREATE TABLE lineage_entity (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    kind {text} NOT NULL,
    handle {text} NOT NULL,
    type {text} NOT NULL,
    source_key BIGINT NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    modified DOUBLE PRECISION NOT NULL,
    document {text} NOT NULL,
    UNIQUE (account, region, kind, handle)
);
CREATE INDEX lineage_entity_by_created ON lineage_entity (account, region, kind, created, id);
CREATE INDEX lineage_entity_by_type ON lineage_entity (account, region, kind, type, created, id);
CREATE INDEX lineage_entity_by_source ON lineage_entity (account, region, source_key, id);

-- An edge of the graph, from what came first to what came of it. `type` may be empty; `created_by` is a UserContext.
CREATE TABLE lineage_association (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    source_id BIGINT NOT NULL REFERENCES lineage_entity (id),
    destination_id BIGINT NOT NULL REFERENCES lineage_entity (id),
    type {text} NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    created_by {text} NOT NULL,
    UNIQUE (source_id, destination_id)
);
CREATE INDEX lineage_association_by_destination ON lineage_association (destination_id, source_id);
CREATE INDEX lineage_association_by_created ON lineage_association (account, region, created, id);

-- From its first day on, no event is removed that lineage has not read.
INSERT INTO event_reader (name, place) VALUES ('lineage', 0);
