-- What tends connections, moves owners between AMs, and tells which keys are in use.

-- When a connection is to be looked at: to keep its refresh token alive, or to warn its owner. NULL is never.
ALTER TABLE warden_connection ADD COLUMN attend_at INTEGER;
-- Whether renewing what is held moves its end.
ALTER TABLE warden_connection ADD COLUMN prolongs INTEGER NOT NULL DEFAULT 1 CHECK (prolongs IN (0, 1));
-- Whether the owner was told that it ends.
ALTER TABLE warden_connection ADD COLUMN warned INTEGER NOT NULL DEFAULT 0 CHECK (warned IN (0, 1));
-- The client that the owner made for this host at the AM, where that is how owners connect.
ALTER TABLE warden_connection ADD COLUMN client_id TEXT;
ALTER TABLE warden_connection ADD COLUMN client_auth TEXT;
ALTER TABLE warden_connection ADD COLUMN client_secret BLOB;
UPDATE warden_connection SET attend_at = issued + (refresh_expires - issued) / 2
    WHERE state = 'held' AND refresh_token IS NOT NULL AND refresh_expires > issued;
CREATE INDEX warden_connection_attend ON warden_connection (attend_at)
    WHERE state = 'held' AND attend_at IS NOT NULL;
CREATE INDEX warden_connection_am ON warden_connection (am_key);
CREATE INDEX warden_owner_am ON warden_owner (am_key);

-- Whether the answer begins a move rather than a connection.
ALTER TABLE warden_pending_authorization ADD COLUMN moves INTEGER NOT NULL DEFAULT 0 CHECK (moves IN (0, 1));

-- Denied since the owner has disconnected from the AM, whatever the state.
ALTER TABLE warden_resource_map ADD COLUMN withheld INTEGER NOT NULL DEFAULT 0 CHECK (withheld IN (0, 1));
-- Name and path in lower case, to be searched.
ALTER TABLE warden_resource_map ADD COLUMN search TEXT NOT NULL DEFAULT '';
UPDATE warden_resource_map SET search = lower(name || ' ' || path_key);
CREATE INDEX warden_resource_map_am ON warden_resource_map (am_key, owner);

-- Owners on their way to another AM. Until the switch the old one decides about all that is theirs.
CREATE TABLE warden_move (
    owner TEXT PRIMARY KEY REFERENCES warden_owner (owner),
    from_am TEXT NOT NULL REFERENCES warden_am (am_key),
    to_am TEXT NOT NULL REFERENCES warden_am (am_key),
    begun INTEGER NOT NULL,
    problem TEXT,
    attempts INTEGER NOT NULL,
    next_try INTEGER NOT NULL
) STRICT;
CREATE INDEX warden_move_due ON warden_move (next_try);

-- The registrations at the new AM, one for each map that moves; written before the AM hears of it.
CREATE TABLE warden_moving (
    map INTEGER PRIMARY KEY REFERENCES warden_resource_map (id),
    owner TEXT NOT NULL REFERENCES warden_move (owner),
    marker TEXT NOT NULL UNIQUE,
    resource_id TEXT,
    registered_name TEXT,
    policy_uri TEXT,
    -- The generation of the map that was registered.
    generation INTEGER NOT NULL
) STRICT;
CREATE INDEX warden_moving_owner ON warden_moving (owner);

-- The keys that something may be sealed with, each with one sealed value that is known.
CREATE TABLE warden_key (
    key_id TEXT PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT;
INSERT INTO warden_key (key_id, sealed) SELECT lower(hex(substr(sealed, 2, 4))), sealed FROM warden_canary;
DELETE FROM warden_canary;
