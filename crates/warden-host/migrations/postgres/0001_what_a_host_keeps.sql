-- Times are seconds since the epoch. Text is compared byte for byte and holds no NUL. Sealed values are bytea.

-- What enforcement reads has changed when this number has. Whoever writes something that has an order takes this row first.
CREATE TABLE warden_epoch (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    value BIGINT NOT NULL,
    -- The highest epoch of which something is forgotten: what changed up to there can't be followed any more.
    swept BIGINT NOT NULL DEFAULT 0
);
INSERT INTO warden_epoch (id, value) VALUES (1, 0);

-- The keys that something may be sealed with, each with one sealed value that is known.
CREATE TABLE warden_key (
    key_id TEXT COLLATE "C" PRIMARY KEY,
    sealed BYTEA NOT NULL
);

-- The AMs that owners are or were connected to, and this host's client there.
CREATE TABLE warden_am (
    am_key TEXT COLLATE "C" PRIMARY KEY,
    issuer TEXT COLLATE "C" NOT NULL UNIQUE,
    dialect TEXT COLLATE "C" NOT NULL,
    profile TEXT COLLATE "C" NOT NULL,
    client_id TEXT COLLATE "C" NOT NULL,
    client_auth TEXT COLLATE "C" NOT NULL,
    client_secret BYTEA,
    secret_expires BIGINT,
    registration_token BYTEA,
    registration_uri TEXT COLLATE "C",
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL
);

-- The host's users who are connected, and the AM that each chose.
CREATE TABLE warden_owner (
    owner TEXT COLLATE "C" PRIMARY KEY,
    am_key TEXT COLLATE "C" REFERENCES warden_am (am_key)
);
CREATE INDEX warden_owner_am ON warden_owner (am_key);

-- What an owner consented to at an AM. Apart from the owner, since a move to another AM needs both for a while.
CREATE TABLE warden_connection (
    owner TEXT COLLATE "C" NOT NULL REFERENCES warden_owner (owner),
    am_key TEXT COLLATE "C" NOT NULL REFERENCES warden_am (am_key),
    since BIGINT NOT NULL,
    -- Counts the consents, so that what belongs to an earlier one is not written over a later one.
    consent BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('none', 'held', 'needs_consent')),
    access_token BYTEA,
    issued BIGINT,
    access_expires BIGINT,
    refresh_token BYTEA,
    refresh_expires BIGINT,
    scope TEXT COLLATE "C",
    -- When it is to be looked at: to keep its refresh token alive, or to warn its owner. NULL is never.
    attend_at BIGINT,
    -- Whether renewing what is held moves its end.
    prolongs BOOLEAN NOT NULL DEFAULT TRUE,
    -- Whether the owner was told that it ends.
    warned BOOLEAN NOT NULL DEFAULT FALSE,
    -- The client that the owner made for this host at the AM, where that is how owners connect.
    client_id TEXT COLLATE "C",
    client_auth TEXT COLLATE "C",
    client_secret BYTEA,
    PRIMARY KEY (owner, am_key)
);
CREATE INDEX warden_connection_attend ON warden_connection (attend_at)
    WHERE state = 'held' AND attend_at IS NOT NULL;
CREATE INDEX warden_connection_am ON warden_connection (am_key);

-- Authorizations that owners have begun; each is taken out by the answer to it.
CREATE TABLE warden_pending_authorization (
    state_hash TEXT COLLATE "C" PRIMARY KEY,
    owner TEXT COLLATE "C" NOT NULL,
    session_hash TEXT COLLATE "C" NOT NULL,
    am_key TEXT COLLATE "C" NOT NULL REFERENCES warden_am (am_key),
    verifier BYTEA NOT NULL,
    return_path TEXT COLLATE "C" NOT NULL,
    redirect_uri TEXT COLLATE "C" NOT NULL,
    expires BIGINT NOT NULL,
    -- Whether the answer begins a move rather than a connection.
    moves BOOLEAN NOT NULL
);
CREATE INDEX warden_pending_authorization_expires ON warden_pending_authorization (expires);
CREATE INDEX warden_pending_authorization_owner ON warden_pending_authorization (owner);

-- The paths that are shared, or were. Numbers are never given twice: caches go by them.
CREATE TABLE warden_resource_map (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site TEXT COLLATE "C" NOT NULL,
    path_key TEXT COLLATE "C" NOT NULL,
    subtree BOOLEAN NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    am_key TEXT COLLATE "C" NOT NULL REFERENCES warden_am (am_key),
    resource_id TEXT COLLATE "C",
    -- Stands in the registered name, by which a registration is known again.
    marker TEXT COLLATE "C" NOT NULL UNIQUE,
    name TEXT COLLATE "C" NOT NULL,
    registered_name TEXT COLLATE "C",
    description TEXT COLLATE "C",
    icon_uri TEXT COLLATE "C",
    scopes TEXT COLLATE "C" NOT NULL,
    policy_uri TEXT COLLATE "C",
    -- The revision that an AM gave the registration, where AMs have revisions: without the right one it is neither changed
    -- nor deleted there. It goes where the id of the registration goes.
    revision TEXT COLLATE "C",
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'active', 'suspect', 'lost', 'tombstone')),
    -- Whether the description at the AM is the one that stands here.
    synced BOOLEAN NOT NULL,
    -- Whether a registration may be at the AM whose id is not known here.
    perhaps BOOLEAN NOT NULL,
    problem TEXT COLLATE "C",
    attempts BIGINT NOT NULL,
    next_try BIGINT NOT NULL,
    -- Counts what the owner did to it, so that late answers of the AM are told from timely ones.
    generation BIGINT NOT NULL,
    changed_epoch BIGINT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    -- Denied since the owner has disconnected from the AM, whatever the state.
    withheld BOOLEAN NOT NULL DEFAULT FALSE,
    -- Name and path in lower case, to be searched.
    search TEXT COLLATE "C" NOT NULL,
    UNIQUE (site, path_key)
);
CREATE INDEX warden_resource_map_owner ON warden_resource_map (owner, path_key);
CREATE INDEX warden_resource_map_am ON warden_resource_map (am_key, owner);
CREATE INDEX warden_resource_map_epoch ON warden_resource_map (changed_epoch);
CREATE INDEX warden_resource_map_due ON warden_resource_map (am_key, next_try)
    WHERE state IN ('pending', 'suspect')
        OR (state = 'active' AND synced = FALSE)
        OR (state = 'tombstone' AND (resource_id IS NOT NULL OR perhaps = TRUE));

-- Registrations at an AM that no map stands for any more; to be deleted there.
CREATE TABLE warden_orphan (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner TEXT COLLATE "C" NOT NULL,
    am_key TEXT COLLATE "C" NOT NULL REFERENCES warden_am (am_key),
    resource_id TEXT COLLATE "C",
    revision TEXT COLLATE "C",
    marker TEXT COLLATE "C" NOT NULL,
    attempts BIGINT NOT NULL,
    next_try BIGINT NOT NULL,
    created BIGINT NOT NULL
);
CREATE INDEX warden_orphan_due ON warden_orphan (am_key, next_try);
CREATE INDEX warden_orphan_owner ON warden_orphan (owner, am_key);

-- Owners on their way to another AM. Until the switch the old one decides about all that is theirs.
CREATE TABLE warden_move (
    owner TEXT COLLATE "C" PRIMARY KEY REFERENCES warden_owner (owner),
    from_am TEXT COLLATE "C" NOT NULL REFERENCES warden_am (am_key),
    to_am TEXT COLLATE "C" NOT NULL REFERENCES warden_am (am_key),
    begun BIGINT NOT NULL,
    problem TEXT COLLATE "C",
    attempts BIGINT NOT NULL,
    next_try BIGINT NOT NULL
);
CREATE INDEX warden_move_due ON warden_move (next_try);

-- The registrations at the new AM, one for each map that moves; written before the AM hears of it.
CREATE TABLE warden_moving (
    map BIGINT PRIMARY KEY REFERENCES warden_resource_map (id),
    owner TEXT COLLATE "C" NOT NULL REFERENCES warden_move (owner),
    marker TEXT COLLATE "C" NOT NULL UNIQUE,
    resource_id TEXT COLLATE "C",
    registered_name TEXT COLLATE "C",
    policy_uri TEXT COLLATE "C",
    revision TEXT COLLATE "C",
    -- The generation of the map that was registered.
    generation BIGINT NOT NULL
);
CREATE INDEX warden_moving_owner ON warden_moving (owner);

-- The processes that serve, up to which epoch each has applied what changed, and until when it is taken to live. Leases are
-- milliseconds since the epoch, by the clock of this database.
CREATE TABLE warden_node (
    node TEXT COLLATE "C" PRIMARY KEY,
    applied BIGINT NOT NULL,
    lease_ends BIGINT NOT NULL
);
CREATE INDEX warden_node_lease ON warden_node (lease_ends);

-- Work that is done once, whoever does it.
CREATE TABLE warden_work (
    work TEXT COLLATE "C" PRIMARY KEY,
    holder TEXT COLLATE "C" NOT NULL,
    lease_ends BIGINT NOT NULL
);

-- Whose cached answers were to count no more from an epoch on, for nodes to follow.
CREATE TABLE warden_purge (
    epoch BIGINT PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('map', 'owner', 'am', 'everything')),
    -- The number of the map, the owner, the issuer.
    what TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL
);
