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
INSERT INTO "edge" VALUES('617fac36-79ca-48c7-be9d-e6eff2b55b7c','84d1952b-f78f-41a9-990c-bb589d7b3f2c');
INSERT INTO "edge" VALUES('167b2724-5d5a-493b-af33-8323bcf688c8','dfb8c8ab-8af8-44b3-af22-eb029b6124e3');
CREATE TABLE project (
    id TEXT PRIMARY KEY,
    identity TEXT NOT NULL,
    name TEXT NOT NULL,
    given TEXT NOT NULL,
    created REAL NOT NULL,
    UNIQUE (identity, name)
) STRICT;
INSERT INTO "project" VALUES('d322b90d-946b-4f2d-b73d-2734f254ffd8','["token","ada","grace"]','site','{"principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"workspace":"","budget":{"cost_usd":1}}',1800000000.0);
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
INSERT INTO "step" VALUES('2ad2f503-b26f-44fb-a3f3-ea4fab2ea301','1',0,1,0,1800000000.0,1800000000.0,'{"exit":0}');
INSERT INTO "step" VALUES('167b2724-5d5a-493b-af33-8323bcf688c8','pay',0,1,0,1800000000.0,NULL,NULL);
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
INSERT INTO "task" VALUES(1,'2ad2f503-b26f-44fb-a3f3-ea4fab2ea301','done','["token","ada","grace"]','{"title":"done","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"work":{"steps":[{"tool":"get_system_info"}]},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[]}','246ab5ca2a072d0def8a0a118ec5088caa8fbdf6bdb432a8888302a68b935bcf',0,'[]','{"team":"blue"}','k1',1800000000.0,NULL,0,'',0,'d322b90d-946b-4f2d-b73d-2734f254ffd8',604800.0,1800000000.0,0,0,'',1,1,1,'74fc557f0b9842459bd02e75657f35f1','a1',NULL,0,NULL,0,0,9,'{"ok":true}',NULL,1800000000.0,1800000000.0,1800604800.0);
INSERT INTO "task" VALUES(2,'617fac36-79ca-48c7-be9d-e6eff2b55b7c','failed','["token","ada","grace"]','{"title":"failed","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"work":{"steps":[{"tool":"get_system_info"}]},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[]}','3356b681cc67f77befbf48b7a8eb7ac69f43c824d37826efe93830bdeddeca29',0,'[]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,0,1,'',1,1,1,'','a1',NULL,0,NULL,0,0,0,NULL,'{"kind":"Unavailable","message":"no","hint":""}',1800000000.0,1800000000.0,1800604800.0);
INSERT INTO "task" VALUES(3,'84d1952b-f78f-41a9-990c-bb589d7b3f2c','failed','["token","ada","grace"]','{"title":"failed with it","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"work":{"steps":[{"tool":"get_system_info"}]},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":["617fac36-79ca-48c7-be9d-e6eff2b55b7c"]}','ca27936de338d389dd278edc4d7bdfca961cc331ca7f4a26017b6e17a26f2b14',0,'[]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,1,0,'617fac36-79ca-48c7-be9d-e6eff2b55b7c',0,0,0,'','',NULL,0,NULL,0,0,0,NULL,'{"kind":"Conflict","message":"it depends on 617fac36-79ca-48c7-be9d-e6eff2b55b7c, which is failed","hint":"try that one again"}',NULL,1800000000.0,1800604800.0);
INSERT INTO "task" VALUES(4,'167b2724-5d5a-493b-af33-8323bcf688c8','ambiguous','["token","ada","grace"]','{"title":"ambiguous","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"work":{"steps":[{"tool":"get_system_info"}]},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[]}','d319d41dd86f83efa47ebee56394f1402dfdfa3a3b1bc44265e6bc770b547d7e',0,'[]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,0,1,'',1,1,1,'','a1',NULL,0,NULL,0,0,0,NULL,'{"kind":"Ambiguous","message":"a step had begun, and its end is unknown: no","hint":""}',1800000000.0,1800000000.0,1800604800.0);
INSERT INTO "task" VALUES(5,'dfb8c8ab-8af8-44b3-af22-eb029b6124e3','blocked','["token","ada","grace"]','{"title":"blocked","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"work":{"steps":[{"tool":"get_system_info"}]},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":["167b2724-5d5a-493b-af33-8323bcf688c8"]}','292dfd056ea44fd2447fd0e5bcb46161354810bc8e7c984f5b551afdb6cc4c03',0,'[]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,1,0,'',0,0,0,'','',NULL,0,NULL,0,0,0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "task" VALUES(6,'e5418e38-7fed-41ae-9c25-d2dbb933f185','cancelled','["token","ada","grace"]','{"title":"cancelled","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"work":{"steps":[{"tool":"get_system_info"}]},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[]}','0f41c81b239da2bac972549ab7f8ecd360314113b0f93b67553bb2596dd2ba58',0,'[]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,0,0,'',0,0,0,'','',NULL,0,NULL,0,0,0,NULL,'{"kind":"Conflict","message":"it was cancelled","hint":""}',NULL,1800000000.0,1800604800.0);
INSERT INTO "task" VALUES(7,'479f7377-0f27-42c1-aa25-a151bc817904','running','["token","ada","grace"]','{"title":"running","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"work":{"steps":[{"tool":"get_system_info"}]},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[]}','d640fd8b37fd727940592f05c6d1deade850b60e52ecb75fc4bd8eac56c92a90',0,'[]','{}','',1800000000.0,1809000000.0,0,'',0,'',604800.0,1800000000.0,0,0,'',1,1,0,'','a1',1800000060.0,0,'{"done":1,"total":2,"message":"half"}',0,0,0,NULL,NULL,1800000000.0,NULL,NULL);
INSERT INTO "task" VALUES(8,'83239711-5b05-4e6c-bad8-08739f0845f3','queued','["token","ada","grace"]','{"title":"queued","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"work":{"steps":[{"tool":"get_system_info"}]},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[]}','8ab653370f8de547d99af268a9660926d4c7cd0f3c3dffe0cba3c5d60db413f9',3,'["gpu"]','{}','',1800000000.0,NULL,0,'',0,'',604800.0,1800000000.0,0,0,'',0,0,0,'','',NULL,0,NULL,0,0,0,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE transcript (
    task TEXT NOT NULL,
    number INTEGER NOT NULL,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (task, number)
) STRICT;
INSERT INTO "transcript" VALUES('2ad2f503-b26f-44fb-a3f3-ea4fab2ea301',1,1800000000.0,'message','"hello \u2602"');
CREATE TABLE wand_schema (part TEXT PRIMARY KEY, version INTEGER NOT NULL);
INSERT INTO "wand_schema" VALUES('tasks',1);
CREATE INDEX task_next ON task (state, priority DESC, run_at, seq);
CREATE UNIQUE INDEX task_idem ON task (identity, idem) WHERE idem <> '';
CREATE INDEX task_lease ON task (lease_until) WHERE state = 'running';
CREATE INDEX task_deadline ON task (deadline) WHERE deadline IS NOT NULL AND state IN ('queued', 'blocked');
CREATE INDEX task_gone ON task (gone_at) WHERE gone_at IS NOT NULL;
CREATE INDEX task_project ON task (project, state) WHERE project <> '';
CREATE INDEX task_parent ON task (parent) WHERE parent <> '';
CREATE INDEX task_failed_by ON task (failed_by) WHERE failed_by <> '';
CREATE INDEX edge_dependent ON edge (dependent);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('task',8);
COMMIT;
