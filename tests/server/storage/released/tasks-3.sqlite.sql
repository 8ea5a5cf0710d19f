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
INSERT INTO "edge" VALUES('db4f98e2-d146-40a6-b7c4-99a1ffc3c181','dae19f0e-3c2d-4643-9cf1-e6771479bf12');
INSERT INTO "edge" VALUES('b6367ae2-1576-45ec-94f3-551c06e76612','4ed0d71f-2b51-4439-bf21-36d3e8ef6543');
CREATE TABLE project (
    id TEXT PRIMARY KEY,
    identity TEXT NOT NULL,
    name TEXT NOT NULL,
    given TEXT NOT NULL,
    created REAL NOT NULL,
    UNIQUE (identity, name)
) STRICT;
INSERT INTO "project" VALUES('2331c943-e39e-4709-a03b-70094f347010','["token","ada","grace"]','site','{"principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"workspace":"","budget":{"cost_usd":1}}',1800000000.0);
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
INSERT INTO "step" VALUES('5f861519-e5eb-40d1-8499-3edf8aae876a','1',0,1,0,1800000000.0,1800000000.0,'{"exit":0}');
INSERT INTO "step" VALUES('b6367ae2-1576-45ec-94f3-551c06e76612','pay',0,1,0,1800000000.0,NULL,NULL);
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
, waits_since REAL) STRICT;
INSERT INTO "task" VALUES(1,'5f861519-e5eb-40d1-8499-3edf8aae876a','done','["token","ada","grace"]','{"title":"done","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}','82f2743d731aa20b04af164d14cf10ae1ec5d873eec1fece484a484a078d34c6',0,'[]','{"team":"blue"}','k1',1800000000.0,NULL,0,'',0,'2331c943-e39e-4709-a03b-70094f347010',604800.0,1800000000.0,0,0,'',1,1,1,'e3256a8fd598445c825cd1e77fed8ff5.2','a1',NULL,0,NULL,0,0,9,'{"ok":true}',NULL,1800000000.0,1800000000.0,1800604800.0,NULL);
INSERT INTO "task" VALUES(2,'db4f98e2-d146-40a6-b7c4-99a1ffc3c181','failed','["token","ada","grace"]','{"title":"failed","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}','',0,'[]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,0,1,'',1,1,1,'e3256a8fd598445c825cd1e77fed8ff5.4','a1',NULL,0,NULL,0,0,0,NULL,'{"kind":"Unavailable","message":"no","hint":""}',1800000000.0,1800000000.0,1800604800.0,NULL);
INSERT INTO "task" VALUES(3,'dae19f0e-3c2d-4643-9cf1-e6771479bf12','failed','["token","ada","grace"]','{"title":"failed with it","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":["db4f98e2-d146-40a6-b7c4-99a1ffc3c181"],"work":{"steps":[{"tool":"get_system_info"}]}}','',0,'[]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,1,0,'db4f98e2-d146-40a6-b7c4-99a1ffc3c181',0,0,0,'','',NULL,0,NULL,0,0,0,NULL,'{"kind":"Conflict","message":"it depends on db4f98e2-d146-40a6-b7c4-99a1ffc3c181, which is failed","hint":"try that one again"}',NULL,1800000000.0,1800604800.0,NULL);
INSERT INTO "task" VALUES(4,'b6367ae2-1576-45ec-94f3-551c06e76612','ambiguous','["token","ada","grace"]','{"title":"ambiguous","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}','',0,'[]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,0,1,'',1,1,1,'e3256a8fd598445c825cd1e77fed8ff5.6','a1',NULL,0,NULL,0,0,0,NULL,'{"kind":"Ambiguous","message":"a step had begun, and its end is unknown: no","hint":""}',1800000000.0,1800000000.0,1800604800.0,NULL);
INSERT INTO "task" VALUES(5,'4ed0d71f-2b51-4439-bf21-36d3e8ef6543','blocked','["token","ada","grace"]','{"title":"blocked","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":["b6367ae2-1576-45ec-94f3-551c06e76612"],"work":{"steps":[{"tool":"get_system_info"}]}}','',0,'[]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,1,0,'',0,0,0,'','',NULL,0,NULL,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "task" VALUES(6,'7656d7a5-3788-43b1-9179-8fed2ec4193b','cancelled','["token","ada","grace"]','{"title":"cancelled","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}','',0,'[]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,0,0,'',0,0,0,'','',NULL,0,NULL,0,0,0,NULL,'{"kind":"Conflict","message":"it was cancelled","hint":""}',NULL,1800000000.0,1800604800.0,NULL);
INSERT INTO "task" VALUES(7,'f98cf1f8-8f4a-4af6-b9a7-93aaced034f7','running','["token","ada","grace"]','{"title":"running","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}','',0,'[]','{}','',1800000000.0,1809000000.0,0,'',0,'',604800.0,1800000000.0,0,0,'',1,1,0,'e3256a8fd598445c825cd1e77fed8ff5.9','a1',1800000060.0,0,'{"done":1,"total":2,"message":"half"}',0,0,0,NULL,NULL,1800000000.0,NULL,NULL,NULL);
INSERT INTO "task" VALUES(8,'9bd4ca7c-c6d0-4975-b848-5bd4640b64d3','queued','["token","ada","grace"]','{"title":"queued","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}','',3,'["gpu"]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,0,0,'',0,0,0,'','',NULL,0,NULL,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE transcript (
    task TEXT NOT NULL,
    number INTEGER NOT NULL,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (task, number)
) STRICT;
INSERT INTO "transcript" VALUES('5f861519-e5eb-40d1-8499-3edf8aae876a',1,1800000000.0,'message','"hello \u2602"');
CREATE TABLE wand_schema (part TEXT PRIMARY KEY, version INTEGER NOT NULL);
INSERT INTO "wand_schema" VALUES('tasks',3);
CREATE UNIQUE INDEX task_idem ON task (identity, idem) WHERE idem <> '';
CREATE INDEX task_lease ON task (lease_until) WHERE state = 'running';
CREATE INDEX task_project ON task (project, state) WHERE project <> '';
CREATE INDEX task_parent ON task (parent) WHERE parent <> '';
CREATE INDEX task_failed_by ON task (failed_by) WHERE failed_by <> '';
CREATE INDEX edge_dependent ON edge (dependent);
CREATE INDEX task_ready ON task (priority DESC, run_at, seq) WHERE state = 'queued';
CREATE INDEX task_blocked ON task (seq) WHERE state = 'blocked';
CREATE INDEX task_gone ON task (gone_at, state) WHERE gone_at IS NOT NULL;
CREATE INDEX task_waiting ON task (run_at) WHERE state = 'waiting';
CREATE INDEX task_deadline ON task (deadline) WHERE deadline IS NOT NULL
 AND state IN ('queued', 'blocked', 'waiting');
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('task',8);
COMMIT;
