-- Where books stand; a semicolon in a comment ends nothing;
CREATE TABLE shelf (
    id {identity},
    name {text} NOT NULL UNIQUE
);
CREATE INDEX shelf_by_name ON shelf (name, id);
