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
    waits_since double precision,
    turn bigint DEFAULT 0 NOT NULL
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
INSERT INTO public.edge VALUES ('c92e09f9-6dc4-4cb2-b533-5c85e93b606a', '46c701c9-f4ff-43d2-ad5a-b460c46dddc3');
INSERT INTO public.edge VALUES ('3e87227c-35fe-4212-9ea6-7ac92c7454c6', 'e32cfcf5-f3da-4973-b3b9-89682699a059');
INSERT INTO public.project VALUES ('78016347-1a80-4a6e-87e3-a86cf44972c8', '["token","ada","grace"]', 'site', '{"principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"workspace":"","budget":{"cost_usd":1}}', 1800000000);
INSERT INTO public.step VALUES ('307df582-a14d-4cb3-9fdf-bed105521f78', '1', 0, 1, 0, 1800000000, 1800000000, '{"exit":0}');
INSERT INTO public.step VALUES ('3e87227c-35fe-4212-9ea6-7ac92c7454c6', 'pay', 0, 1, 0, 1800000000, NULL, NULL);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (5, 'e32cfcf5-f3da-4973-b3b9-89682699a059', 'blocked', '["token","ada","grace"]', '{"title":"blocked","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":["3e87227c-35fe-4212-9ea6-7ac92c7454c6"],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 0, '[]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 1, 0, '', 0, 0, 0, '', '', NULL, 0, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, 0);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (1, '307df582-a14d-4cb3-9fdf-bed105521f78', 'done', '["token","ada","grace"]', '{"title":"done","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}', '629a21821ad464021449df6292bc81a312ade2a2135c38444a6acf22dcecc430', 0, '[]', '{"team": "blue"}', 'k1', 1800000000, NULL, 0, '', 0, '78016347-1a80-4a6e-87e3-a86cf44972c8', 604800, 1800000000, 0, 0, '', 1, 1, 1, '20c66cc2a33640538151df1b605c955b.12', 'a1', NULL, 0, NULL, 0, 0, 9, '{"ok":true}', NULL, 1800000000, 1800000000, 1800604800, NULL, 0);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (2, 'c92e09f9-6dc4-4cb2-b533-5c85e93b606a', 'failed', '["token","ada","grace"]', '{"title":"failed","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 0, '[]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 0, 1, '', 1, 1, 1, '20c66cc2a33640538151df1b605c955b.14', 'a1', NULL, 0, NULL, 0, 0, 0, NULL, '{"kind":"Unavailable","message":"no","hint":""}', 1800000000, 1800000000, 1800604800, NULL, 0);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (3, '46c701c9-f4ff-43d2-ad5a-b460c46dddc3', 'failed', '["token","ada","grace"]', '{"title":"failed with it","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":["c92e09f9-6dc4-4cb2-b533-5c85e93b606a"],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 0, '[]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 1, 0, 'c92e09f9-6dc4-4cb2-b533-5c85e93b606a', 0, 0, 0, '', '', NULL, 0, NULL, 0, 0, 0, NULL, '{"kind":"Conflict","message":"it depends on c92e09f9-6dc4-4cb2-b533-5c85e93b606a, which is failed","hint":"try that one again"}', NULL, 1800000000, 1800604800, NULL, 0);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (4, '3e87227c-35fe-4212-9ea6-7ac92c7454c6', 'ambiguous', '["token","ada","grace"]', '{"title":"ambiguous","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 0, '[]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 0, 1, '', 1, 1, 1, '20c66cc2a33640538151df1b605c955b.16', 'a1', NULL, 0, NULL, 0, 0, 0, NULL, '{"kind":"Ambiguous","message":"a step had begun, and its end is unknown: no","hint":""}', 1800000000, 1800000000, 1800604800, NULL, 0);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (6, 'b9429f4b-1950-4102-86a4-55f2e85c89f7', 'cancelled', '["token","ada","grace"]', '{"title":"cancelled","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 0, '[]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 0, 0, '', 0, 0, 0, '', '', NULL, 0, NULL, 0, 0, 0, NULL, '{"kind":"Conflict","message":"it was cancelled","hint":""}', NULL, 1800000000, 1800604800, NULL, 0);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (7, '39ea612f-d9dd-4c7b-8906-ccfdb7c31309', 'running', '["token","ada","grace"]', '{"title":"running","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 0, '[]', '{}', '', 1800000000, 1809000000, 0, '', 0, '', 604800, 1800000000, 0, 0, '', 1, 1, 0, '20c66cc2a33640538151df1b605c955b.19', 'a1', 1800000060, 0, '{"done":1,"total":2,"message":"half"}', 0, 0, 0, NULL, NULL, 1800000000, NULL, NULL, NULL, 0);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (8, 'c47d152f-fad2-4e0e-87dc-cb9e1a85544d', 'queued', '["token","ada","grace"]', '{"title":"queued","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[],"work":{"steps":[{"tool":"get_system_info"}]}}', '', 3, '["gpu"]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 0, 0, '', 0, 0, 0, '', '', NULL, 0, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, 0);
INSERT INTO public.transcript VALUES ('307df582-a14d-4cb3-9fdf-bed105521f78', 1, 1800000000, 'message', '"hello \u2602"');
INSERT INTO public.wand_schema VALUES ('tasks', 4);
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
CREATE INDEX task_later ON public.task USING btree (run_at) WHERE ((state = ANY (ARRAY['queued'::text, 'waiting'::text])) AND (turn = '1000000000000000'::bigint));
CREATE INDEX task_lease ON public.task USING btree (lease_until) WHERE (state = 'running'::text);
CREATE INDEX task_parent ON public.task USING btree (parent) WHERE (parent <> ''::text);
CREATE INDEX task_project ON public.task USING btree (project, state) WHERE (project <> ''::text);
CREATE INDEX task_ready ON public.task USING btree (priority DESC, turn, run_at, seq) WHERE (state = 'queued'::text);
CREATE INDEX task_share ON public.task USING btree (identity, priority, turn) WHERE (state = 'queued'::text);
