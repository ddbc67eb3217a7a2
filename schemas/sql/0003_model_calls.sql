-- In how many places a revision's modules ask a model, however they do it; `calls` counts as the original did.
ALTER TABLE revisions ADD COLUMN model_calls integer NOT NULL DEFAULT 0 CHECK (model_calls >= 0);

-- Of a zip that was stored before, only the text of its main file is counted.
UPDATE revisions SET model_calls = (
    SELECT count(*) FROM regexp_matches(source, '(?<!def )\m(call_ai|stream_ai|map_ai|chat|embed)\s*\(', 'g')
) WHERE source LIKE '%platform_sdk%';
