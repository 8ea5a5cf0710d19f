CREATE TABLE public.agent (
    name text NOT NULL,
    given text NOT NULL,
    state text NOT NULL,
    task text NOT NULL,
    joined double precision NOT NULL,
    seen double precision NOT NULL
);
CREATE TABLE public.edge (
    dependency text NOT NULL,
    dependent text NOT NULL
);
CREATE TABLE public.project (
    id text NOT NULL,
    identity text NOT NULL,
    name text NOT NULL,
    given text NOT NULL,
    created double precision NOT NULL
);
CREATE TABLE public.step (
    task text NOT NULL,
    key text NOT NULL,
    number integer NOT NULL,
    token integer NOT NULL,
    may_repeat integer NOT NULL,
    began double precision NOT NULL,
    ended double precision,
    result text
);
CREATE TABLE public.task (
    seq bigint NOT NULL,
    id text NOT NULL,
    state text NOT NULL,
    identity text NOT NULL,
    given text NOT NULL,
    digest text NOT NULL,
    priority integer NOT NULL,
    needs jsonb NOT NULL,
    labels jsonb NOT NULL,
    idem text NOT NULL,
    run_at double precision NOT NULL,
    deadline double precision,
    may_repeat integer NOT NULL,
    parent text NOT NULL,
    depth integer NOT NULL,
    project text NOT NULL,
    keep_seconds double precision NOT NULL,
    created double precision NOT NULL,
    waits_for integer DEFAULT 0 NOT NULL,
    has_dependents integer DEFAULT 0 NOT NULL,
    failed_by text DEFAULT ''::text NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    token integer DEFAULT 0 NOT NULL,
    ended_token integer DEFAULT 0 NOT NULL,
    last_write text DEFAULT ''::text NOT NULL,
    agent text DEFAULT ''::text NOT NULL,
    lease_until double precision,
    cancel_asked integer DEFAULT 0 NOT NULL,
    progress text,
    input_tokens bigint DEFAULT 0 NOT NULL,
    output_tokens bigint DEFAULT 0 NOT NULL,
    cost_micros bigint DEFAULT 0 NOT NULL,
    result text,
    error text,
    started double precision,
    finished double precision,
    gone_at double precision,
    waits_since double precision
);
ALTER TABLE public.task ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.task_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.transcript (
    task text NOT NULL,
    number integer NOT NULL,
    at double precision NOT NULL,
    kind text NOT NULL,
    content text NOT NULL
);
CREATE TABLE public.wand_schema (
    part text NOT NULL,
    version integer NOT NULL
);
INSERT INTO public.agent VALUES ('a1', '{"labels":{},"capabilities":["gpu"],"process":""}', 'idle', '', 1800000000, 1800000000);
INSERT INTO public.edge VALUES ('e69e704f-96e9-490d-ac60-2399df4fe6bd', '1700b026-7abb-459b-b025-e6091a94d9c9');
INSERT INTO public.edge VALUES ('a267318c-6130-4b86-a703-fc13f1fdfea3', 'fa63df82-f639-474d-afbd-b1e98087f3c6');
INSERT INTO public.project VALUES ('20713ca9-20ef-4a27-9252-5e3b041d51d1', '["token","ada","grace"]', 'site', '{"principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"workspace":"","budget":{"cost_usd":1}}', 1800000000);
INSERT INTO public.step VALUES ('09281b70-fef6-4e4d-b3fc-db5b12fb23aa', '1', 0, 1, 0, 1800000000, 1800000000, '{"exit":0}');
INSERT INTO public.step VALUES ('a267318c-6130-4b86-a703-fc13f1fdfea3', 'pay', 0, 1, 0, 1800000000, NULL, NULL);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (5, 'fa63df82-f639-474d-afbd-b1e98087f3c6', 'blocked', '["token","ada","grace"]', '{"title":"blocked","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":["a267318c-6130-4b86-a703-fc13f1fdfea3"],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 0, '[]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 1, 0, '', 0, 0, 0, '', '', NULL, 0, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (1, '09281b70-fef6-4e4d-b3fc-db5b12fb23aa', 'done', '["token","ada","grace"]', '{"title":"done","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}', '113bc8b1c647bfb9e30ffc4e01d91e4257f1d7a80aebabc5a94f099a8b04cbef', 0, '[]', '{"team": "blue"}', 'k1', 1800000000, NULL, 0, '', 0, '20713ca9-20ef-4a27-9252-5e3b041d51d1', 604800, 1800000000, 0, 0, '', 1, 1, 1, 'e3256a8fd598445c825cd1e77fed8ff5.12', 'a1', NULL, 0, NULL, 0, 0, 9, '{"ok":true}', NULL, 1800000000, 1800000000, 1800604800, NULL);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (2, 'e69e704f-96e9-490d-ac60-2399df4fe6bd', 'failed', '["token","ada","grace"]', '{"title":"failed","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 0, '[]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 0, 1, '', 1, 1, 1, 'e3256a8fd598445c825cd1e77fed8ff5.14', 'a1', NULL, 0, NULL, 0, 0, 0, NULL, '{"kind":"Unavailable","message":"no","hint":""}', 1800000000, 1800000000, 1800604800, NULL);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (3, '1700b026-7abb-459b-b025-e6091a94d9c9', 'failed', '["token","ada","grace"]', '{"title":"failed with it","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":["e69e704f-96e9-490d-ac60-2399df4fe6bd"],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 0, '[]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 1, 0, 'e69e704f-96e9-490d-ac60-2399df4fe6bd', 0, 0, 0, '', '', NULL, 0, NULL, 0, 0, 0, NULL, '{"kind":"Conflict","message":"it depends on e69e704f-96e9-490d-ac60-2399df4fe6bd, which is failed","hint":"try that one again"}', NULL, 1800000000, 1800604800, NULL);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (4, 'a267318c-6130-4b86-a703-fc13f1fdfea3', 'ambiguous', '["token","ada","grace"]', '{"title":"ambiguous","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 0, '[]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 0, 1, '', 1, 1, 1, 'e3256a8fd598445c825cd1e77fed8ff5.16', 'a1', NULL, 0, NULL, 0, 0, 0, NULL, '{"kind":"Ambiguous","message":"a step had begun, and its end is unknown: no","hint":""}', 1800000000, 1800000000, 1800604800, NULL);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (6, 'c77cee12-fefb-4ca2-8b97-ec0ed95551d0', 'cancelled', '["token","ada","grace"]', '{"title":"cancelled","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 0, '[]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 0, 0, '', 0, 0, 0, '', '', NULL, 0, NULL, 0, 0, 0, NULL, '{"kind":"Conflict","message":"it was cancelled","hint":""}', NULL, 1800000000, 1800604800, NULL);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (7, '77766fa2-91a2-43d6-a096-31ee8fb2d763', 'running', '["token","ada","grace"]', '{"title":"running","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 0, '[]', '{}', '', 1800000000, 1809000000, 0, '', 0, '', 604800, 1800000000, 0, 0, '', 1, 1, 0, 'e3256a8fd598445c825cd1e77fed8ff5.19', 'a1', 1800000060, 0, '{"done":1,"total":2,"message":"half"}', 0, 0, 0, NULL, NULL, 1800000000, NULL, NULL, NULL);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (8, 'f2c3ab61-5b79-4c59-baba-7e7928bd58f6', 'queued', '["token","ada","grace"]', '{"title":"queued","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 3, '["gpu"]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 0, 0, '', 0, 0, 0, '', '', NULL, 0, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.transcript VALUES ('09281b70-fef6-4e4d-b3fc-db5b12fb23aa', 1, 1800000000, 'message', '"hello \u2602"');
INSERT INTO public.wand_schema VALUES ('tasks', 3);
SELECT pg_catalog.setval('public.task_seq_seq', 8, true);
ALTER TABLE ONLY public.agent
    ADD CONSTRAINT agent_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.edge
    ADD CONSTRAINT edge_pkey PRIMARY KEY (dependency, dependent);
ALTER TABLE ONLY public.project
    ADD CONSTRAINT project_identity_name_key UNIQUE (identity, name);
ALTER TABLE ONLY public.project
    ADD CONSTRAINT project_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.step
    ADD CONSTRAINT step_pkey PRIMARY KEY (task, key);
ALTER TABLE ONLY public.task
    ADD CONSTRAINT task_id_key UNIQUE (id);
ALTER TABLE ONLY public.task
    ADD CONSTRAINT task_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY public.transcript
    ADD CONSTRAINT transcript_pkey PRIMARY KEY (task, number);
ALTER TABLE ONLY public.wand_schema
    ADD CONSTRAINT wand_schema_pkey PRIMARY KEY (part);
CREATE INDEX edge_dependent ON public.edge USING btree (dependent);
CREATE INDEX task_blocked ON public.task USING btree (seq) WHERE (state = 'blocked'::text);
CREATE INDEX task_deadline ON public.task USING btree (deadline) WHERE ((deadline IS NOT NULL) AND (state = ANY (ARRAY['queued'::text, 'blocked'::text, 'waiting'::text])));
CREATE INDEX task_failed_by ON public.task USING btree (failed_by) WHERE (failed_by <> ''::text);
CREATE INDEX task_gone ON public.task USING btree (gone_at, state) WHERE (gone_at IS NOT NULL);
CREATE UNIQUE INDEX task_idem ON public.task USING btree (identity, idem) WHERE (idem <> ''::text);
CREATE INDEX task_lease ON public.task USING btree (lease_until) WHERE (state = 'running'::text);
CREATE INDEX task_parent ON public.task USING btree (parent) WHERE (parent <> ''::text);
CREATE INDEX task_project ON public.task USING btree (project, state) WHERE (project <> ''::text);
CREATE INDEX task_ready ON public.task USING btree (priority DESC, run_at, seq) WHERE (state = 'queued'::text);
CREATE INDEX task_waiting ON public.task USING btree (run_at) WHERE (state = 'waiting'::text);
