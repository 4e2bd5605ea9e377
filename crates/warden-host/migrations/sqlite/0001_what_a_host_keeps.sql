-- Times are seconds since the epoch. Text is compared byte for byte and holds no NUL. Sealed values are BLOBs.

-- What enforcement reads has changed when this number has.
CREATE TABLE warden_epoch (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    value INTEGER NOT NULL
) STRICT;
INSERT INTO warden_epoch (id, value) VALUES (1, 0);

-- One sealed value that is known, by which a wrong key is told at the start.
CREATE TABLE warden_canary (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    sealed BLOB NOT NULL
) STRICT;

-- The AMs that owners are or were connected to, and this host's client there.
CREATE TABLE warden_am (
    am_key TEXT PRIMARY KEY,
    issuer TEXT NOT NULL UNIQUE,
    dialect TEXT NOT NULL,
    profile TEXT NOT NULL,
    client_id TEXT NOT NULL,
    client_auth TEXT NOT NULL,
    client_secret BLOB,
    secret_expires INTEGER,
    registration_token BLOB,
    registration_uri TEXT,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
) STRICT;

-- The host's users who are connected, and the AM that each chose.
CREATE TABLE warden_owner (
    owner TEXT PRIMARY KEY,
    am_key TEXT REFERENCES warden_am (am_key)
) STRICT;

-- What an owner consented to at an AM. Apart from the owner, since a move to another AM needs both for a while.
CREATE TABLE warden_connection (
    owner TEXT NOT NULL REFERENCES warden_owner (owner),
    am_key TEXT NOT NULL REFERENCES warden_am (am_key),
    since INTEGER NOT NULL,
    -- Counts the consents, so that what belongs to an earlier one is not written over a later one.
    consent INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('none', 'held', 'needs_consent')),
    access_token BLOB,
    issued INTEGER,
    access_expires INTEGER,
    refresh_token BLOB,
    refresh_expires INTEGER,
    scope TEXT,
    PRIMARY KEY (owner, am_key)
) STRICT;

-- Authorizations that owners have begun; each is taken out by the answer to it.
CREATE TABLE warden_pending_authorization (
    state_hash TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    session_hash TEXT NOT NULL,
    am_key TEXT NOT NULL REFERENCES warden_am (am_key),
    verifier BLOB NOT NULL,
    return_path TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX warden_pending_authorization_expires ON warden_pending_authorization (expires);

-- The paths that are shared, or were. Numbers are never given twice: caches go by them.
CREATE TABLE warden_resource_map (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    site TEXT NOT NULL,
    path_key TEXT NOT NULL,
    subtree INTEGER NOT NULL CHECK (subtree IN (0, 1)),
    owner TEXT NOT NULL,
    am_key TEXT NOT NULL REFERENCES warden_am (am_key),
    resource_id TEXT,
    -- Stands in the registered name, by which a registration is known again.
    marker TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    registered_name TEXT,
    description TEXT,
    icon_uri TEXT,
    scopes TEXT NOT NULL,
    policy_uri TEXT,
    state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'suspect', 'lost', 'tombstone')),
    -- Whether the description at the AM is the one that stands here.
    synced INTEGER NOT NULL CHECK (synced IN (0, 1)),
    -- Whether a registration may be at the AM whose id is not known here.
    perhaps INTEGER NOT NULL CHECK (perhaps IN (0, 1)),
    problem TEXT,
    attempts INTEGER NOT NULL,
    next_try INTEGER NOT NULL,
    -- Counts what the owner did to it, so that late answers of the AM are told from timely ones.
    generation INTEGER NOT NULL,
    changed_epoch INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    UNIQUE (site, path_key)
) STRICT;
CREATE INDEX warden_resource_map_owner ON warden_resource_map (owner, path_key);
CREATE INDEX warden_resource_map_epoch ON warden_resource_map (changed_epoch);
CREATE INDEX warden_resource_map_due ON warden_resource_map (am_key, next_try)
    WHERE state IN ('pending', 'suspect')
        OR (state = 'active' AND synced = 0)
        OR (state = 'tombstone' AND (resource_id IS NOT NULL OR perhaps = 1));

-- Registrations at an AM that no map stands for any more; to be deleted there.
CREATE TABLE warden_orphan (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    am_key TEXT NOT NULL REFERENCES warden_am (am_key),
    resource_id TEXT,
    marker TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_try INTEGER NOT NULL,
    created INTEGER NOT NULL
) STRICT;
CREATE INDEX warden_orphan_due ON warden_orphan (am_key, next_try);
