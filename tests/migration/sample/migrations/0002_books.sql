CREATE TABLE book (
    id {identity},
    shelf_id BIGINT NOT NULL REFERENCES shelf (id),
    -- A book may stand beside another one.
    beside BIGINT REFERENCES book (id),
    title {text} NOT NULL,
    weight DOUBLE PRECISION,
    cover {blob}
);
CREATE TABLE loan (
    reader {text} NOT NULL,
    book_id BIGINT NOT NULL REFERENCES book (id),
    PRIMARY KEY (reader, book_id)
) {clustered};
ALTER TABLE shelf ADD COLUMN room {text} NOT NULL DEFAULT 'hall';
