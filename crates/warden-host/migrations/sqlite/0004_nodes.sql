-- What the nodes of a host know of each other. Leases are milliseconds since the epoch, by the clock of this database.

-- The highest epoch of which something is forgotten: what changed up to there can't be followed any more.
ALTER TABLE warden_epoch ADD COLUMN swept INTEGER NOT NULL DEFAULT 0;

-- The processes that serve, up to which epoch each has applied what changed, and until when it is taken to live.
CREATE TABLE warden_node (
    node TEXT PRIMARY KEY,
    applied INTEGER NOT NULL,
    lease_ends INTEGER NOT NULL
) STRICT;
CREATE INDEX warden_node_lease ON warden_node (lease_ends);

-- Work that is done once, whoever does it.
CREATE TABLE warden_work (
    work TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    lease_ends INTEGER NOT NULL
) STRICT;

-- Whose cached answers were to count no more from an epoch on, for nodes to follow.
CREATE TABLE warden_purge (
    epoch INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('map', 'owner', 'am', 'everything')),
    -- The number of the map, the owner, the issuer.
    what TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;
