-- Who got at, or wanted to get at, what owners share; a page for the owner, not a log.
--
-- One row for all that is alike within an hour, known by its digest, so that a caller who tries again and again fills one row.
CREATE TABLE warden_access (
    owner TEXT NOT NULL,
    digest TEXT NOT NULL,
    -- The number of the map, which may have gone.
    map INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    times INTEGER NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    allowed INTEGER NOT NULL CHECK (allowed IN (0, 1)),
    reason TEXT NOT NULL,
    scopes TEXT NOT NULL,
    -- Who asked, and the application, as the AM calls them; empty where it did not say.
    who TEXT NOT NULL,
    app TEXT NOT NULL,
    PRIMARY KEY (owner, digest)
) STRICT;
CREATE INDEX warden_access_owner ON warden_access (owner, allowed, last_at);
CREATE INDEX warden_access_map ON warden_access (owner, map, last_at);
CREATE INDEX warden_access_last ON warden_access (last_at);
