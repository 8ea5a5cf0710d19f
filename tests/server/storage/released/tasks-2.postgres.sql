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
    gone_at double precision
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
INSERT INTO public.edge VALUES ('818ca0d0-c65c-4be1-a943-d35a227912ca', '9bfe808c-683f-4c96-9073-b59673edf151');
INSERT INTO public.edge VALUES ('4c731a32-84b0-485f-bf97-ff7a59dbdee4', '6e5d12ad-03c4-4ebd-abf0-44a13b355629');
INSERT INTO public.project VALUES ('77963904-7249-4be9-b426-b77c80d9e00d', '["token","ada","grace"]', 'site', '{"principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"workspace":"","budget":{"cost_usd":1}}', 1800000000);
INSERT INTO public.step VALUES ('51f2f2f6-e816-4bd4-8a5b-619666b62977', '1', 0, 1, 0, 1800000000, 1800000000, '{"exit":0}');
INSERT INTO public.step VALUES ('4c731a32-84b0-485f-bf97-ff7a59dbdee4', 'pay', 0, 1, 0, 1800000000, NULL, NULL);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (5, '6e5d12ad-03c4-4ebd-abf0-44a13b355629', 'blocked', '["token","ada","grace"]', '{"title":"blocked","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":["4c731a32-84b0-485f-bf97-ff7a59dbdee4"],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 0, '[]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 1, 0, '', 0, 0, 0, '', '', NULL, 0, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (1, '51f2f2f6-e816-4bd4-8a5b-619666b62977', 'done', '["token","ada","grace"]', '{"title":"done","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}', 'f0f2b16f1d39ea24e9fddccdeb6b045839464a7ea8221a9be41b319179c11289', 0, '[]', '{"team": "blue"}', 'k1', 1800000000, NULL, 0, '', 0, '77963904-7249-4be9-b426-b77c80d9e00d', 604800, 1800000000, 0, 0, '', 1, 1, 1, '90bb794901684ea7adcdf9199435346c.12', 'a1', NULL, 0, NULL, 0, 0, 9, '{"ok":true}', NULL, 1800000000, 1800000000, 1800604800);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (2, '818ca0d0-c65c-4be1-a943-d35a227912ca', 'failed', '["token","ada","grace"]', '{"title":"failed","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 0, '[]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 0, 1, '', 1, 1, 1, '90bb794901684ea7adcdf9199435346c.14', 'a1', NULL, 0, NULL, 0, 0, 0, NULL, '{"kind":"Unavailable","message":"no","hint":""}', 1800000000, 1800000000, 1800604800);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (3, '9bfe808c-683f-4c96-9073-b59673edf151', 'failed', '["token","ada","grace"]', '{"title":"failed with it","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":["818ca0d0-c65c-4be1-a943-d35a227912ca"],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 0, '[]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 1, 0, '818ca0d0-c65c-4be1-a943-d35a227912ca', 0, 0, 0, '', '', NULL, 0, NULL, 0, 0, 0, NULL, '{"kind":"Conflict","message":"it depends on 818ca0d0-c65c-4be1-a943-d35a227912ca, which is failed","hint":"try that one again"}', NULL, 1800000000, 1800604800);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (4, '4c731a32-84b0-485f-bf97-ff7a59dbdee4', 'ambiguous', '["token","ada","grace"]', '{"title":"ambiguous","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 0, '[]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 0, 1, '', 1, 1, 1, '90bb794901684ea7adcdf9199435346c.16', 'a1', NULL, 0, NULL, 0, 0, 0, NULL, '{"kind":"Ambiguous","message":"a step had begun, and its end is unknown: no","hint":""}', 1800000000, 1800000000, 1800604800);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (6, 'c9291e73-e9f5-49c7-9881-8ba6161a0fee', 'cancelled', '["token","ada","grace"]', '{"title":"cancelled","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 0, '[]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 0, 0, '', 0, 0, 0, '', '', NULL, 0, NULL, 0, 0, 0, NULL, '{"kind":"Conflict","message":"it was cancelled","hint":""}', NULL, 1800000000, 1800604800);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (7, '0ac480f1-f562-41f9-aa9e-ddfedd53fbbf', 'running', '["token","ada","grace"]', '{"title":"running","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 0, '[]', '{}', '', 1800000000, 1809000000, 0, '', 0, '', 604800, 1800000000, 0, 0, '', 1, 1, 0, '90bb794901684ea7adcdf9199435346c.19', 'a1', 1800000060, 0, '{"done":1,"total":2,"message":"half"}', 0, 0, 0, NULL, NULL, 1800000000, NULL, NULL);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (8, 'b9ab8873-3617-4e84-bd5e-fa3d37e73188', 'queued', '["token","ada","grace"]', '{"title":"queued","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 3, '["gpu"]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 0, 0, '', 0, 0, 0, '', '', NULL, 0, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.transcript VALUES ('51f2f2f6-e816-4bd4-8a5b-619666b62977', 1, 1800000000, 'message', '"hello \u2602"');
INSERT INTO public.wand_schema VALUES ('tasks', 2);
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
CREATE INDEX task_deadline ON public.task USING btree (deadline) WHERE ((deadline IS NOT NULL) AND (state = ANY (ARRAY['queued'::text, 'blocked'::text])));
CREATE INDEX task_failed_by ON public.task USING btree (failed_by) WHERE (failed_by <> ''::text);
CREATE INDEX task_gone ON public.task USING btree (gone_at, state) WHERE (gone_at IS NOT NULL);
CREATE UNIQUE INDEX task_idem ON public.task USING btree (identity, idem) WHERE (idem <> ''::text);
CREATE INDEX task_lease ON public.task USING btree (lease_until) WHERE (state = 'running'::text);
CREATE INDEX task_parent ON public.task USING btree (parent) WHERE (parent <> ''::text);
CREATE INDEX task_project ON public.task USING btree (project, state) WHERE (project <> ''::text);
CREATE INDEX task_ready ON public.task USING btree (priority DESC, run_at, seq) WHERE (state = 'queued'::text);
