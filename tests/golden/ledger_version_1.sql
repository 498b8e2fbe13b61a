PRAGMA application_id = 1651534951;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE runs (
        run INTEGER PRIMARY KEY AUTOINCREMENT,
        tracker_id TEXT NOT NULL,
        target TEXT NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('preparing', 'sending', 'confirmed', 'uncertain',
            'failed', 'refused', 'unchanged')),
        started_at TEXT NOT NULL,
        ended_at TEXT,
        users INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        made_at TEXT NOT NULL,
        old_users INTEGER,
        added INTEGER,
        removed INTEGER,
        kept INTEGER,
        confirmed_by TEXT NOT NULL DEFAULT '',
        attempts INTEGER NOT NULL DEFAULT 0,
        error TEXT
    );
INSERT INTO "runs" VALUES(1,'1234-5678','https://service.example','confirmed','2026-11-24T03:00:00.000000+00:00','2026-11-24T03:00:01.000000+00:00',1656,43291,'b0e2109ab0e2109ab0e2109ab0e2109ab0e2109ab0e2109ab0e2109ab0e2109a','2026-11-24T02:00:00.000000+00:00',NULL,NULL,NULL,NULL,'first:1656',1,NULL);
CREATE INDEX runs_of_tracker ON runs (tracker_id, target, outcome);
COMMIT;
