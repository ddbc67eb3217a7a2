-- A plugin is a name with a description; what runs is a revision, which never changes.
CREATE TABLE plugins (
    name        text PRIMARY KEY,
    description text        NOT NULL DEFAULT '',
    input_type  text        NOT NULL DEFAULT 'text' CHECK (input_type IN ('text', 'file', 'json')),
    input_hint  text        NOT NULL DEFAULT '',
    current     text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE revisions (
    plugin      text        NOT NULL REFERENCES plugins (name) ON DELETE CASCADE,
    digest      text        NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    number      integer     NOT NULL CHECK (number > 0),
    source      text        NOT NULL,
    limits      jsonb       NOT NULL,
    calls       integer     NOT NULL CHECK (calls > 0),  -- how often the source says call_ai(, at least 1
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plugin, digest),
    UNIQUE (plugin, number)
);

-- A plugin's current revision exists; deferred, because the first one is written after its plugin.
ALTER TABLE plugins
    ADD CONSTRAINT plugins_current_exists FOREIGN KEY (name, current)
    REFERENCES revisions (plugin, digest) DEFERRABLE INITIALLY DEFERRED;

CREATE INDEX plugins_newest_first ON plugins (updated_at DESC, name);
