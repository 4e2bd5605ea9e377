-- An index is used by queries that spell its condition in the same way.
DROP INDEX warden_resource_map_due;
CREATE INDEX warden_resource_map_due ON warden_resource_map (am_key, next_try)
    WHERE state IN ('pending', 'suspect')
        OR (state = 'active' AND synced = FALSE)
        OR (state = 'tombstone' AND (resource_id IS NOT NULL OR perhaps = TRUE));
