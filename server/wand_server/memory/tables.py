"""The tables of notes, as steps forward; a step that was released is never edited."""

from typing import Literal

Dialect = Literal["sqlite", "postgres"]
PART = "memory"

_SQLITE_1 = """
CREATE TABLE memory_place (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE note (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    place INTEGER NOT NULL REFERENCES memory_place,
    owner TEXT NOT NULL,
    by_name TEXT NOT NULL,
    scope TEXT NOT NULL,
    text TEXT NOT NULL,
    digest TEXT NOT NULL,
    source TEXT NOT NULL,
    trusted INTEGER NOT NULL,
    made REAL NOT NULL,
    model TEXT NOT NULL DEFAULT '',
    vector BLOB
) STRICT;
CREATE UNIQUE INDEX note_same ON note (place, owner, digest);
CREATE INDEX note_owner ON note (owner);
CREATE VIRTUAL TABLE note_words USING fts5 (
    place, text, content = 'note', content_rowid = 'seq', tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO note_words (note_words, rank) VALUES ('rank', 'bm25(0.0, 1.0)')
"""
_POSTGRES_1 = """
CREATE TABLE memory_place (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    version BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE note (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    place BIGINT NOT NULL REFERENCES memory_place,
    owner TEXT NOT NULL,
    by_name TEXT NOT NULL,
    scope TEXT NOT NULL,
    text TEXT NOT NULL,
    digest TEXT NOT NULL,
    source TEXT NOT NULL,
    trusted INTEGER NOT NULL,
    made DOUBLE PRECISION NOT NULL,
    model TEXT NOT NULL DEFAULT '',
    vector BYTEA,
    words TSVECTOR GENERATED ALWAYS AS (to_tsvector('english', text)) STORED
);
CREATE UNIQUE INDEX note_same ON note (place, owner, digest);
CREATE INDEX note_owner ON note (owner);
CREATE INDEX note_words ON note USING gin (words)
"""
STEPS: dict[str, tuple[str, ...]] = {"sqlite": (_SQLITE_1,), "postgres": (_POSTGRES_1,)}
MEANING = """
CREATE TABLE IF NOT EXISTS note_meaning (
    seq BIGINT PRIMARY KEY REFERENCES note ON DELETE CASCADE,
    place BIGINT NOT NULL,
    model TEXT NOT NULL,
    embedding vector NOT NULL
);
CREATE INDEX IF NOT EXISTS note_meaning_place ON note_meaning (place, model)
"""  # beside the steps: where pgvector is there
