-- Who got at, or wanted to get at, what owners share; a page for the owner, not a log.
--
-- One row for all that is alike within an hour, known by its digest, so that a caller who tries again and again fills one row.
CREATE TABLE warden_access (
    owner TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    -- The number of the map, which may have gone.
    map BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    times BIGINT NOT NULL,
    method TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    allowed BOOLEAN NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    scopes TEXT COLLATE "C" NOT NULL,
    -- Who asked, and the application, as the AM calls them; empty where it did not say.
    who TEXT COLLATE "C" NOT NULL,
    app TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (owner, digest)
);
CREATE INDEX warden_access_owner ON warden_access (owner, allowed, last_at);
CREATE INDEX warden_access_map ON warden_access (owner, map, last_at);
CREATE INDEX warden_access_last ON warden_access (last_at);
