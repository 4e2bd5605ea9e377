-- The revision that an AM gave a registration, where AMs have revisions: without the right one it is neither changed nor
-- deleted there. It goes where the id of the registration goes.
ALTER TABLE warden_resource_map ADD COLUMN revision TEXT;
ALTER TABLE warden_orphan ADD COLUMN revision TEXT;
ALTER TABLE warden_moving ADD COLUMN revision TEXT;
