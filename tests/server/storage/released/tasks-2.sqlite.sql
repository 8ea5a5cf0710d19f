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
INSERT INTO "edge" VALUES('268521b9-e6e0-41e5-be38-d4d6905aca34','63109368-a709-48ee-b67c-d3a76861e1fe');
INSERT INTO "edge" VALUES('31595354-7797-40e3-a5b1-c591095404f4','33470f6a-4185-44d6-aed7-6dc54319301c');
CREATE TABLE project (
    id TEXT PRIMARY KEY,
    identity TEXT NOT NULL,
    name TEXT NOT NULL,
    given TEXT NOT NULL,
    created REAL NOT NULL,
    UNIQUE (identity, name)
) STRICT;
INSERT INTO "project" VALUES('a37a6fbb-4256-4163-944d-87eb4b339b70','["token","ada","grace"]','site','{"principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"workspace":"","budget":{"cost_usd":1}}',1800000000.0);
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
INSERT INTO "step" VALUES('252c34d3-d6f5-4573-ae29-56f4ff8037e5','1',0,1,0,1800000000.0,1800000000.0,'{"exit":0}');
INSERT INTO "step" VALUES('31595354-7797-40e3-a5b1-c591095404f4','pay',0,1,0,1800000000.0,NULL,NULL);
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
) STRICT;
INSERT INTO "task" VALUES(1,'252c34d3-d6f5-4573-ae29-56f4ff8037e5','done','["token","ada","grace"]','{"title":"done","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}','9b48dcd61eb01679ba9085d74fb16b32250b90680c51142b152989f5840c4d9c',0,'[]','{"team":"blue"}','k1',1800000000.0,NULL,0,'',0,'a37a6fbb-4256-4163-944d-87eb4b339b70',604800.0,1800000000.0,0,0,'',1,1,1,'90bb794901684ea7adcdf9199435346c.2','a1',NULL,0,NULL,0,0,9,'{"ok":true}',NULL,1800000000.0,1800000000.0,1800604800.0);
INSERT INTO "task" VALUES(2,'268521b9-e6e0-41e5-be38-d4d6905aca34','failed','["token","ada","grace"]','{"title":"failed","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}','',0,'[]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,0,1,'',1,1,1,'90bb794901684ea7adcdf9199435346c.4','a1',NULL,0,NULL,0,0,0,NULL,'{"kind":"Unavailable","message":"no","hint":""}',1800000000.0,1800000000.0,1800604800.0);
INSERT INTO "task" VALUES(3,'63109368-a709-48ee-b67c-d3a76861e1fe','failed','["token","ada","grace"]','{"title":"failed with it","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":["268521b9-e6e0-41e5-be38-d4d6905aca34"],"work":{"steps":[{"tool":"get_system_info"}]}}','',0,'[]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,1,0,'268521b9-e6e0-41e5-be38-d4d6905aca34',0,0,0,'','',NULL,0,NULL,0,0,0,NULL,'{"kind":"Conflict","message":"it depends on 268521b9-e6e0-41e5-be38-d4d6905aca34, which is failed","hint":"try that one again"}',NULL,1800000000.0,1800604800.0);
INSERT INTO "task" VALUES(4,'31595354-7797-40e3-a5b1-c591095404f4','ambiguous','["token","ada","grace"]','{"title":"ambiguous","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}','',0,'[]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,0,1,'',1,1,1,'90bb794901684ea7adcdf9199435346c.6','a1',NULL,0,NULL,0,0,0,NULL,'{"kind":"Ambiguous","message":"a step had begun, and its end is unknown: no","hint":""}',1800000000.0,1800000000.0,1800604800.0);
INSERT INTO "task" VALUES(5,'33470f6a-4185-44d6-aed7-6dc54319301c','blocked','["token","ada","grace"]','{"title":"blocked","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":["31595354-7797-40e3-a5b1-c591095404f4"],"work":{"steps":[{"tool":"get_system_info"}]}}','',0,'[]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,1,0,'',0,0,0,'','',NULL,0,NULL,0,0,0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "task" VALUES(6,'4cc76e39-e727-4288-a48e-e7f43fd0f014','cancelled','["token","ada","grace"]','{"title":"cancelled","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}','',0,'[]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,0,0,'',0,0,0,'','',NULL,0,NULL,0,0,0,NULL,'{"kind":"Conflict","message":"it was cancelled","hint":""}',NULL,1800000000.0,1800604800.0);
INSERT INTO "task" VALUES(7,'c386e0da-a949-4339-bcaf-413d9a30c5e2','running','["token","ada","grace"]','{"title":"running","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}','',0,'[]','{}','',1800000000.0,1809000000.0,0,'',0,'',604800.0,1800000000.0,0,0,'',1,1,0,'90bb794901684ea7adcdf9199435346c.9','a1',1800000060.0,0,'{"done":1,"total":2,"message":"half"}',0,0,0,NULL,NULL,1800000000.0,NULL,NULL);
INSERT INTO "task" VALUES(8,'408715b6-e79e-489b-ac7b-cd836c03723a','queued','["token","ada","grace"]','{"title":"queued","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}','',3,'["gpu"]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,0,0,'',0,0,0,'','',NULL,0,NULL,0,0,0,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE transcript (
    task TEXT NOT NULL,
    number INTEGER NOT NULL,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (task, number)
) STRICT;
INSERT INTO "transcript" VALUES('252c34d3-d6f5-4573-ae29-56f4ff8037e5',1,1800000000.0,'message','"hello \u2602"');
CREATE TABLE wand_schema (part TEXT PRIMARY KEY, version INTEGER NOT NULL);
INSERT INTO "wand_schema" VALUES('tasks',2);
CREATE UNIQUE INDEX task_idem ON task (identity, idem) WHERE idem <> '';
CREATE INDEX task_lease ON task (lease_until) WHERE state = 'running';
CREATE INDEX task_deadline ON task (deadline) WHERE deadline IS NOT NULL AND state IN ('queued', 'blocked');
CREATE INDEX task_project ON task (project, state) WHERE project <> '';
CREATE INDEX task_parent ON task (parent) WHERE parent <> '';
CREATE INDEX task_failed_by ON task (failed_by) WHERE failed_by <> '';
CREATE INDEX edge_dependent ON edge (dependent);
CREATE INDEX task_ready ON task (priority DESC, run_at, seq) WHERE state = 'queued';
CREATE INDEX task_blocked ON task (seq) WHERE state = 'blocked';
CREATE INDEX task_gone ON task (gone_at, state) WHERE gone_at IS NOT NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('task',8);
COMMIT;
