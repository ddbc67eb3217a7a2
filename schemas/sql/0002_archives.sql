-- A plugin may be a zip: all its files, the main one's text is in source as ever.
ALTER TABLE revisions ADD COLUMN archive bytea;

-- It is compressed already.
ALTER TABLE revisions ALTER COLUMN archive SET STORAGE EXTERNAL;
