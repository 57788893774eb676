-- Repositories of an account and region. mutability_filters: JSON, the tags that are exceptions from tag_mutability.
CREATE TABLE ecr_repository (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    name {text} NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    tag_mutability {text} NOT NULL,
    mutability_filters {text} NOT NULL,
    scan_on_push BIGINT NOT NULL,
    policy {text},
    UNIQUE (account, region, name)
);

-- Images and lists of images: the manifest as it was pushed, by its digest. A higher id was pushed later.
CREATE TABLE ecr_image (
    id {identity},
    repository_id BIGINT NOT NULL REFERENCES ecr_repository (id),
    digest {text} NOT NULL,
    media_type {text} NOT NULL,
    artifact_media_type {text} NOT NULL,
    size BIGINT NOT NULL,
    pushed DOUBLE PRECISION NOT NULL,
    manifest {text} NOT NULL,
    UNIQUE (repository_id, digest)
);
CREATE INDEX ecr_image_age ON ecr_image (repository_id, id);

CREATE TABLE ecr_tag (
    repository_id BIGINT NOT NULL REFERENCES ecr_repository (id),
    tag {text} NOT NULL,
    image_id BIGINT NOT NULL REFERENCES ecr_image (id),
    PRIMARY KEY (repository_id, tag)
);
CREATE INDEX ecr_tag_image ON ecr_tag (image_id, tag);

-- What a manifest is made of: the digests of its configuration and layers, or of the images that it lists.
CREATE TABLE ecr_image_part (
    image_id BIGINT NOT NULL REFERENCES ecr_image (id),
    digest {text} NOT NULL,
    PRIMARY KEY (image_id, digest)
);
CREATE INDEX ecr_image_part_digest ON ecr_image_part (digest);

-- Layers that a repository has; the bytes are blobs.
CREATE TABLE ecr_layer (
    repository_id BIGINT NOT NULL REFERENCES ecr_repository (id),
    digest {text} NOT NULL,
    size BIGINT NOT NULL,
    PRIMARY KEY (repository_id, digest)
);
CREATE INDEX ecr_layer_digest ON ecr_layer (digest);

-- Layers that are being uploaded, in parts that are blobs until the layer is complete.
CREATE TABLE ecr_upload (
    upload_id {text} PRIMARY KEY,
    repository_id BIGINT NOT NULL REFERENCES ecr_repository (id),
    modified DOUBLE PRECISION NOT NULL,
    size BIGINT NOT NULL
);
CREATE INDEX ecr_upload_modified ON ecr_upload (modified);
CREATE INDEX ecr_upload_repository ON ecr_upload (repository_id);

CREATE TABLE ecr_upload_part (
    upload_id {text} NOT NULL REFERENCES ecr_upload (upload_id),
    first_byte BIGINT NOT NULL,
    size BIGINT NOT NULL,
    digest {text} NOT NULL,
    PRIMARY KEY (upload_id, first_byte)
);
CREATE INDEX ecr_upload_part_digest ON ecr_upload_part (digest);
