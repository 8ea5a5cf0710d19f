"""What PostgreSQL is asked of itself, by its catalogues."""

SCHEMAS = """
SELECT n.nspname AS name, pg_get_userbyid(n.nspowner) AS owner,
    obj_description(n.oid, 'pg_namespace') AS comment
FROM pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1
"""
TABLES = """
SELECT n.nspname AS schema, c.relname AS name,
    CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
        WHEN 'p' THEN 'partitioned table' ELSE 'table' END AS kind,
    greatest(c.reltuples, 0)::bigint AS estimated_rows, pg_total_relation_size(c.oid) AS bytes,
    obj_description(c.oid, 'pg_class') AS comment
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND ($1::text IS NULL OR n.nspname = $1) ORDER BY 1, 2
"""
TABLE = "SELECT to_regclass($1)::oid::bigint AS oid"
COLUMNS = """
SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable,
    pg_get_expr(d.adbin, d.adrelid) AS default, col_description(a.attrelid, a.attnum) AS comment
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = $1::bigint::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
CONSTRAINTS = """
SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE conrelid = $1::bigint::oid ORDER BY contype DESC, 1
"""
INDEXES = """
SELECT n.nspname AS schema, t.relname AS table, i.relname AS name,
    pg_get_indexdef(x.indexrelid) AS definition,
    x.indisunique AS is_unique, x.indisvalid AS is_valid, pg_relation_size(x.indexrelid) AS bytes,
    coalesce(s.idx_scan, 0) AS scans
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace LEFT JOIN pg_stat_user_indexes s ON s.indexrelid = x.indexrelid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND ($1::text IS NULL OR x.indrelid = to_regclass($1)) ORDER BY 1, 2, 3
"""
ACTIVE = """
SELECT pid, usename AS user, datname AS database, application_name AS application, state,
    wait_event_type || ': ' || wait_event AS waits_for,
    extract(epoch FROM now() - query_start)::float8 AS seconds, left(query, 2000) AS query
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND ($1 OR state <> 'idle')
ORDER BY query_start NULLS LAST
"""
CANCEL = "SELECT pg_cancel_backend($1)"
SIZE = """
SELECT current_database() AS name, pg_database_size(current_database()) AS bytes,
    pg_size_pretty(pg_database_size(current_database())) AS size
"""
ROLE = """
SELECT r.rolname AS name, r.rolsuper AS is_superuser, current_setting('server_version') AS server_version,
    coalesce((SELECT array_agg(t ORDER BY t) FROM (
        SELECT c.oid::regclass::text AS t FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
            AND has_schema_privilege(n.oid, 'USAGE')
            AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') LIMIT 20) may),
        '{}') AS may_change
FROM pg_roles r WHERE r.rolname = current_user
"""
