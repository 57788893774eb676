-- The index behind Search. A space is what one search looks at: one kind of resource in one account and region.
CREATE TABLE search_space (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    kind {text} NOT NULL,
    UNIQUE (account, region, kind)
);

-- Property names, so that an entry of the index carries a small number in place of `InferenceSpecification.Containers.Image`.
CREATE TABLE search_name (
    id {identity},
    space_id BIGINT NOT NULL REFERENCES search_space (id),
    name {text} NOT NULL,
    UNIQUE (space_id, name)
);

-- A resource that can be found. `resource_key` is how its part knows it; `record` is a JSON list of name, value, name, value …:
-- exactly its entries in the two tables below, so that they can be taken away again and filters be tried without its document.
CREATE TABLE search_item (
    id {identity},
    space_id BIGINT NOT NULL REFERENCES search_space (id),
    resource_key {text} NOT NULL,
    modified DOUBLE PRECISION NOT NULL,
    tags {text},
    record {text} NOT NULL,
    UNIQUE (space_id, resource_key)
);
CREATE INDEX search_item_by_modified ON search_item (space_id, modified, id);

-- One B-tree each, for texts (long ones as a digest) and for numbers (times are numbers).
CREATE TABLE search_text (
    name_id BIGINT NOT NULL,
    value {text} NOT NULL,
    item_id BIGINT NOT NULL,
    PRIMARY KEY (name_id, value, item_id)
) {clustered};
CREATE TABLE search_number (
    name_id BIGINT NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    item_id BIGINT NOT NULL,
    PRIMARY KEY (name_id, value, item_id)
) {clustered};
