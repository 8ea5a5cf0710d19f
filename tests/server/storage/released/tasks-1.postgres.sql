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
INSERT INTO public.edge VALUES ('cfed4b46-dfa2-47b3-a287-ac1b7c82c5a5', 'c4c72142-d57f-4262-ac83-79891c203cfa');
INSERT INTO public.edge VALUES ('853e0a8e-3d87-4e1b-8153-9916f91e0a7c', '1f2bfda2-d15d-4550-8a7c-fcdded5e5eb4');
INSERT INTO public.project VALUES ('b8864a71-6473-4ac9-826e-b5bf09e87b61', '["token","ada","grace"]', 'site', '{"principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"workspace":"","budget":{"cost_usd":1}}', 1800000000);
INSERT INTO public.step VALUES ('7aea551e-23f0-4e60-b17d-5e14f1b4fd4b', '1', 0, 1, 0, 1800000000, 1800000000, '{"exit":0}');
INSERT INTO public.step VALUES ('853e0a8e-3d87-4e1b-8153-9916f91e0a7c', 'pay', 0, 1, 0, 1800000000, NULL, NULL);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (5, '1f2bfda2-d15d-4550-8a7c-fcdded5e5eb4', 'blocked', '["token","ada","grace"]', '{"title":"blocked","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"work":{"steps":[{"tool":"get_system_info"}]},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":["853e0a8e-3d87-4e1b-8153-9916f91e0a7c"]}', '79941af260c8d1cd174af2a137908a0e860d3c1508d82739c023a96a01def2b2', 0, '[]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 1, 0, '', 0, 0, 0, '', '', NULL, 0, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (1, '7aea551e-23f0-4e60-b17d-5e14f1b4fd4b', 'done', '["token","ada","grace"]', '{"title":"done","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"work":{"steps":[{"tool":"get_system_info"}]},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[]}', '10a988537ac2a192261e84979dbd142b347435159503c1ab1cb231e90eff3524', 0, '[]', '{"team": "blue"}', 'k1', 1800000000, NULL, 0, '', 0, 'b8864a71-6473-4ac9-826e-b5bf09e87b61', 604800, 1800000000, 0, 0, '', 1, 1, 1, 'bb3876a1ab464c92a81692c9a48eb4fd', 'a1', NULL, 0, NULL, 0, 0, 9, '{"ok":true}', NULL, 1800000000, 1800000000, 1800604800);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (2, 'cfed4b46-dfa2-47b3-a287-ac1b7c82c5a5', 'failed', '["token","ada","grace"]', '{"title":"failed","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"work":{"steps":[{"tool":"get_system_info"}]},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[]}', 'af7e71cbe67851193f9e3b5f8266f57798ed234a46601b747c0fb0d4763654d7', 0, '[]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 0, 1, '', 1, 1, 1, '', 'a1', NULL, 0, NULL, 0, 0, 0, NULL, '{"kind":"Unavailable","message":"no","hint":""}', 1800000000, 1800000000, 1800604800);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (3, 'c4c72142-d57f-4262-ac83-79891c203cfa', 'failed', '["token","ada","grace"]', '{"title":"failed with it","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"work":{"steps":[{"tool":"get_system_info"}]},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":["cfed4b46-dfa2-47b3-a287-ac1b7c82c5a5"]}', '2d497392c368cdff07ff4eed1d2b92721033ea326aac488eb6f228f56442cba5', 0, '[]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 1, 0, 'cfed4b46-dfa2-47b3-a287-ac1b7c82c5a5', 0, 0, 0, '', '', NULL, 0, NULL, 0, 0, 0, NULL, '{"kind":"Conflict","message":"it depends on cfed4b46-dfa2-47b3-a287-ac1b7c82c5a5, which is failed","hint":"try that one again"}', NULL, 1800000000, 1800604800);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (4, '853e0a8e-3d87-4e1b-8153-9916f91e0a7c', 'ambiguous', '["token","ada","grace"]', '{"title":"ambiguous","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"work":{"steps":[{"tool":"get_system_info"}]},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[]}', '89f648aa7141fa573ef59f6681d3eee82ffc1bebd9f9a8f8b4ff16901a8c0dd2', 0, '[]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 0, 1, '', 1, 1, 1, '', 'a1', NULL, 0, NULL, 0, 0, 0, NULL, '{"kind":"Ambiguous","message":"a step had begun, and its end is unknown: no","hint":""}', 1800000000, 1800000000, 1800604800);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (6, '127e3431-bbdb-4fc0-a6ed-f05ca7f66670', 'cancelled', '["token","ada","grace"]', '{"title":"cancelled","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"work":{"steps":[{"tool":"get_system_info"}]},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[]}', 'a0fb1ef5070ea7a3f15cfa5b004749f97c13bd9f1c28c4ee31a501c2c2e7bf92', 0, '[]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 0, 0, '', 0, 0, 0, '', '', NULL, 0, NULL, 0, 0, 0, NULL, '{"kind":"Conflict","message":"it was cancelled","hint":""}', NULL, 1800000000, 1800604800);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (7, '409820b9-7ce7-4144-88dc-6a5607ef4cb5', 'running', '["token","ada","grace"]', '{"title":"running","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"work":{"steps":[{"tool":"get_system_info"}]},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[]}', 'dce215ff81d04984c24a77bc2326dc607eafd57c2333343bc70c8e2ea2fe508f', 0, '[]', '{}', '', 1800000000, 1809000000, 0, '', 0, '', 604800, 1800000000, 0, 0, '', 1, 1, 0, '', 'a1', 1800000060, 0, '{"done":1,"total":2,"message":"half"}', 0, 0, 0, NULL, NULL, 1800000000, NULL, NULL);
INSERT INTO public.task OVERRIDING SYSTEM VALUE VALUES (8, '5863148f-9403-4a17-b8e6-3296fd54199c', 'queued', '["token","ada","grace"]', '{"title":"queued","principal":{"name":"ada","means":"token","scopes":["wand:read","wand:tool:read_file"],"groups":["staff","ops"],"on_behalf_of":"grace","credential":"k1","expires":4000000000.0},"work":{"steps":[{"tool":"get_system_info"}]},"retries":{"most_attempts":3,"base_seconds":2.0,"factor":2.0,"ceiling_seconds":300.0,"jitter":0.5},"depends_on":[]}', '3dcdd886dace879ecd5227646aaa1744d4ede073c9efcdd7b0ec9186ab966277', 3, '["gpu"]', '{}', '', 1800000000, NULL, 0, '', 0, '', 604800, 1800000000, 0, 0, '', 0, 0, 0, '', '', NULL, 0, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.transcript VALUES ('7aea551e-23f0-4e60-b17d-5e14f1b4fd4b', 1, 1800000000, 'message', '"hello \u2602"');
INSERT INTO public.wand_schema VALUES ('tasks', 1);
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
CREATE INDEX task_deadline ON public.task USING btree (deadline) WHERE ((deadline IS NOT NULL) AND (state = ANY (ARRAY['queued'::text, 'blocked'::text])));
CREATE INDEX task_failed_by ON public.task USING btree (failed_by) WHERE (failed_by <> ''::text);
CREATE INDEX task_gone ON public.task USING btree (gone_at) WHERE (gone_at IS NOT NULL);
CREATE UNIQUE INDEX task_idem ON public.task USING btree (identity, idem) WHERE (idem <> ''::text);
CREATE INDEX task_lease ON public.task USING btree (lease_until) WHERE (state = 'running'::text);
CREATE INDEX task_next ON public.task USING btree (state, priority DESC, run_at, seq);
CREATE INDEX task_parent ON public.task USING btree (parent) WHERE (parent <> ''::text);
CREATE INDEX task_project ON public.task USING btree (project, state) WHERE (project <> ''::text);
