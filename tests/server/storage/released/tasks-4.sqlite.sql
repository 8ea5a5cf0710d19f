BEGIN TRANSACTION;
CREATE TABLE agent (
    name TEXT PRIMARY KEY,
    given TEXT NOT NULL,
    state TEXT NOT NULL,
    task TEXT NOT NULL,
    joined REAL NOT NULL,
    seen REAL NOT NULL
) STRICT;
INSERT INTO "agent" VALUES('a1','{"labels":{},"capabilities":["gpu"],"process":""}','idle','',1800000000.0,1800000000.0);
CREATE TABLE edge (
    dependency TEXT NOT NULL,
    dependent TEXT NOT NULL,
    PRIMARY KEY (dependency, dependent)
) STRICT;
INSERT INTO "edge" VALUES('fc6e7f9a-9055-4d6e-b44e-60cb7fb4aedb','1c9c1c4e-8d9a-4d6a-a40f-1d7eda6f62a7');
INSERT INTO "edge" VALUES('3ef14344-2996-427c-b106-a467b9bb30c3','8d8393b7-0ff7-4bf0-9a4d-a047013bdb82');
CREATE TABLE project (
    id TEXT PRIMARY KEY,
    identity TEXT NOT NULL,
    name TEXT NOT NULL,
    given TEXT NOT NULL,
    created REAL NOT NULL,
    UNIQUE (identity, name)
) STRICT;
INSERT INTO "project" VALUES('fd0b3035-550e-41b9-909e-f4e19254b9a6','["token","ada","grace"]','site','{"principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"workspace":"","budget":{"cost_usd":1}}',1800000000.0);
CREATE TABLE step (
    task TEXT NOT NULL,
    key TEXT NOT NULL,
    number INTEGER NOT NULL,
    token INTEGER NOT NULL,
    may_repeat INTEGER NOT NULL,
    began REAL NOT NULL,
    ended REAL,
    result TEXT,
    PRIMARY KEY (task, key)
) STRICT;
INSERT INTO "step" VALUES('c447f382-1ed8-4b90-967c-e3af90c75447','1',0,1,0,1800000000.0,1800000000.0,'{"exit":0}');
INSERT INTO "step" VALUES('3ef14344-2996-427c-b106-a467b9bb30c3','pay',0,1,0,1800000000.0,NULL,NULL);
CREATE TABLE task (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    identity TEXT NOT NULL,
    given TEXT NOT NULL,
    digest TEXT NOT NULL,
    priority INTEGER NOT NULL,
    needs TEXT NOT NULL,
    labels TEXT NOT NULL,
    idem TEXT NOT NULL,
    run_at REAL NOT NULL,
    deadline REAL,
    may_repeat INTEGER NOT NULL,
    parent TEXT NOT NULL,
    depth INTEGER NOT NULL,
    project TEXT NOT NULL,
    keep_seconds REAL NOT NULL,
    created REAL NOT NULL,
    waits_for INTEGER NOT NULL DEFAULT 0,
    has_dependents INTEGER NOT NULL DEFAULT 0,
    failed_by TEXT NOT NULL DEFAULT '',
    attempt INTEGER NOT NULL DEFAULT 0,
    token INTEGER NOT NULL DEFAULT 0,
    ended_token INTEGER NOT NULL DEFAULT 0,
    last_write TEXT NOT NULL DEFAULT '',
    agent TEXT NOT NULL DEFAULT '',
    lease_until REAL,
    cancel_asked INTEGER NOT NULL DEFAULT 0,
    progress TEXT,
    input_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    cost_micros INTEGER NOT NULL DEFAULT 0,
    result TEXT,
    error TEXT,
    started REAL,
    finished REAL,
    gone_at REAL
, waits_since REAL, turn INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "task" VALUES(1,'c447f382-1ed8-4b90-967c-e3af90c75447','done','["token","ada","grace"]','{"title":"done","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}','cc94efbd659d782c1a54eba0f88dd17fdb70a1b145103a9892cab335b8dff9b7',0,'[]','{"team":"blue"}','k1',1800000000.0,NULL,0,'',0,'fd0b3035-550e-41b9-909e-f4e19254b9a6',604800.0,1800000000.0,0,0,'',1,1,1,'20c66cc2a33640538151df1b605c955b.2','a1',NULL,0,NULL,0,0,9,'{"ok":true}',NULL,1800000000.0,1800000000.0,1800604800.0,NULL,0);
INSERT INTO "task" VALUES(2,'fc6e7f9a-9055-4d6e-b44e-60cb7fb4aedb','failed','["token","ada","grace"]','{"title":"failed","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}','',0,'[]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,0,1,'',1,1,1,'20c66cc2a33640538151df1b605c955b.4','a1',NULL,0,NULL,0,0,0,NULL,'{"kind":"Unavailable","message":"no","hint":""}',1800000000.0,1800000000.0,1800604800.0,NULL,0);
INSERT INTO "task" VALUES(3,'1c9c1c4e-8d9a-4d6a-a40f-1d7eda6f62a7','failed','["token","ada","grace"]','{"title":"failed with it","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":["fc6e7f9a-9055-4d6e-b44e-60cb7fb4aedb"],"work":{"steps":[{"tool":"get_system_info"}]}}','',0,'[]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,1,0,'fc6e7f9a-9055-4d6e-b44e-60cb7fb4aedb',0,0,0,'','',NULL,0,NULL,0,0,0,NULL,'{"kind":"Conflict","message":"it depends on fc6e7f9a-9055-4d6e-b44e-60cb7fb4aedb, which is failed","hint":"try that one again"}',NULL,1800000000.0,1800604800.0,NULL,0);
INSERT INTO "task" VALUES(4,'3ef14344-2996-427c-b106-a467b9bb30c3','ambiguous','["token","ada","grace"]','{"title":"ambiguous","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}','',0,'[]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,0,1,'',1,1,1,'20c66cc2a33640538151df1b605c955b.6','a1',NULL,0,NULL,0,0,0,NULL,'{"kind":"Ambiguous","message":"a step had begun, and its end is unknown: no","hint":""}',1800000000.0,1800000000.0,1800604800.0,NULL,0);
INSERT INTO "task" VALUES(5,'8d8393b7-0ff7-4bf0-9a4d-a047013bdb82','blocked','["token","ada","grace"]','{"title":"blocked","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":["3ef14344-2996-427c-b106-a467b9bb30c3"],"work":{"steps":[{"tool":"get_system_info"}]}}','',0,'[]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,1,0,'',0,0,0,'','',NULL,0,NULL,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "task" VALUES(6,'d9266acf-9fdb-4f68-b702-9162c80acc05','cancelled','["token","ada","grace"]','{"title":"cancelled","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}','',0,'[]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,0,0,'',0,0,0,'','',NULL,0,NULL,0,0,0,NULL,'{"kind":"Conflict","message":"it was cancelled","hint":""}',NULL,1800000000.0,1800604800.0,NULL,0);
INSERT INTO "task" VALUES(7,'c53445a9-4d3c-4069-9fdf-a7e4d2a5621e','running','["token","ada","grace"]','{"title":"running","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}','',0,'[]','{}','',1800000000.0,1809000000.0,0,'',0,'',604800.0,1800000000.0,0,0,'',1,1,0,'20c66cc2a33640538151df1b605c955b.9','a1',1800000060.0,0,'{"done":1,"total":2,"message":"half"}',0,0,0,NULL,NULL,1800000000.0,NULL,NULL,NULL,0);
INSERT INTO "task" VALUES(8,'4fa567a9-4eb5-4195-9be8-4e374f57acb1','queued','["token","ada","grace"]','{"title":"queued","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}','',3,'["gpu"]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,0,0,'',0,0,0,'','',NULL,0,NULL,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,0);
CREATE TABLE transcript (
    task TEXT NOT NULL,
    number INTEGER NOT NULL,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (task, number)
) STRICT;
INSERT INTO "transcript" VALUES('c447f382-1ed8-4b90-967c-e3af90c75447',1,1800000000.0,'message','"hello \u2602"');
CREATE TABLE wand_schema (part TEXT PRIMARY KEY, version INTEGER NOT NULL);
INSERT INTO "wand_schema" VALUES('tasks',4);
CREATE UNIQUE INDEX task_idem ON task (identity, idem) WHERE idem <> '';
CREATE INDEX task_lease ON task (lease_until) WHERE state = 'running';
CREATE INDEX task_project ON task (project, state) WHERE project <> '';
CREATE INDEX task_parent ON task (parent) WHERE parent <> '';
CREATE INDEX task_failed_by ON task (failed_by) WHERE failed_by <> '';
CREATE INDEX edge_dependent ON edge (dependent);
CREATE INDEX task_blocked ON task (seq) WHERE state = 'blocked';
CREATE INDEX task_gone ON task (gone_at, state) WHERE gone_at IS NOT NULL;
CREATE INDEX task_deadline ON task (deadline) WHERE deadline IS NOT NULL
 AND state IN ('queued', 'blocked', 'waiting');
CREATE INDEX task_ready ON task (priority DESC, turn, run_at, seq) WHERE state = 'queued';
CREATE INDEX task_share ON task (identity, priority, turn) WHERE state = 'queued';
CREATE INDEX task_later ON task (run_at) WHERE state IN ('queued', 'waiting') AND turn = 1000000000000000;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('task',8);
COMMIT;
