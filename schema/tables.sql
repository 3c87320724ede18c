-- The tables of a space's file. The fold tables come first: they are what the log says, and nothing else.

-- One row: how far the log is folded; `last_entry` is a hash of the last folded entry. The space's name is not here: a
-- fork is the same log under another name.
CREATE TABLE space (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    salt TEXT NOT NULL,
    policy TEXT NOT NULL,
    fold_version INTEGER NOT NULL,
    position_ms INTEGER NOT NULL,
    position_seq INTEGER NOT NULL,
    last_entry BLOB NOT NULL
) STRICT;

CREATE TABLE events (
    event_id TEXT PRIMARY KEY,
    ms INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    digest BLOB NOT NULL,
    UNIQUE (ms, seq)
) STRICT, WITHOUT ROWID;

-- The newest message has the last place in the order of time (`newest_event` is empty where that one was erased), the
-- last one that on the log; `waiting` is a list of
-- [occurred_at, seq, event_id], one for each message whose window is still open, in order of time.
CREATE TABLE sessions (
    session TEXT PRIMARY KEY,
    messages INTEGER NOT NULL,
    waiting TEXT NOT NULL,
    opened_at INTEGER,
    newest_at INTEGER,
    newest_seq INTEGER,
    newest_event TEXT,
    closed_at INTEGER,
    last_event TEXT,
    last_recorded_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_waiting ON sessions (newest_at) WHERE waiting != '[]';

-- `number` is local to the file (full text and vectors refer to it) and in no hash.
CREATE TABLE nodes (
    number INTEGER PRIMARY KEY,
    node_id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL CHECK (type IN ('episodic', 'semantic', 'procedural', 'opinion')),
    cell_type TEXT CHECK (cell_type IN
        ('fact', 'plan', 'preference', 'decision', 'task', 'risk', 'procedure', 'opinion')),
    content TEXT NOT NULL,
    scene TEXT,
    salience REAL NOT NULL,
    session TEXT,
    role TEXT,
    speaker TEXT,
    source_type TEXT NOT NULL,
    metadata TEXT,
    occurred_at INTEGER NOT NULL,
    utc_offset_min INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_until INTEGER,
    confidence REAL NOT NULL,
    access_count INTEGER NOT NULL,
    last_accessed INTEGER NOT NULL,
    decay_rate REAL NOT NULL,
    fades_at INTEGER,
    hidden INTEGER NOT NULL,
    extractable INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    position_ms INTEGER NOT NULL,
    position_seq INTEGER NOT NULL
) STRICT;
CREATE INDEX nodes_in_session ON nodes (session, occurred_at, seq, event_id) WHERE type = 'episodic';
CREATE INDEX nodes_in_time ON nodes (occurred_at);
CREATE INDEX nodes_by_speaker ON nodes (speaker, role);
CREATE INDEX nodes_in_scene ON nodes (scene) WHERE scene IS NOT NULL;

-- What a cell says beyond its node. `start` is its own beginning; nodes.valid_from may be an older one that a
-- correction took over. `heir` is the cell that took its place first. `untrue` is 1 where a correction says that it
-- never was so, though a person may have had it forgotten since.
CREATE TABLE cells (
    node_id TEXT PRIMARY KEY REFERENCES nodes (node_id),
    subject TEXT NOT NULL,
    slot TEXT,
    object TEXT NOT NULL,
    polarity INTEGER NOT NULL,
    modality TEXT NOT NULL,
    basis TEXT NOT NULL,
    stated_by TEXT,
    start INTEGER NOT NULL,
    stated_end INTEGER,
    due INTEGER,
    heir TEXT,
    retracted TEXT CHECK (retracted IN ('forgotten', 'corrected')),
    untrue INTEGER NOT NULL,
    pinned INTEGER NOT NULL,
    job_key TEXT,
    cell TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX cells_by_subject ON cells (subject, slot);

-- `low` and `high` are the pair's ids in the order of text. The last verdict on the log counts, a person's always.
CREATE TABLE verdicts (
    low TEXT NOT NULL REFERENCES cells (node_id),
    high TEXT NOT NULL REFERENCES cells (node_id),
    ruling TEXT NOT NULL CHECK (ruling IN ('same', 'supersedes', 'compatible', 'unsure')),
    kind TEXT NOT NULL,
    judge TEXT NOT NULL CHECK (judge IN ('person', 'engine')),
    state TEXT NOT NULL CHECK (state IN ('in_force', 'held', 'rejected')),
    event_id TEXT NOT NULL,
    PRIMARY KEY (low, high)
) STRICT, WITHOUT ROWID;
CREATE INDEX verdicts_by_high ON verdicts (high);

-- What an outcome proposed and the fold did not do, with the reason.
CREATE TABLE refusals (
    event_id TEXT NOT NULL,
    item INTEGER NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (event_id, item)
) STRICT, WITHOUT ROWID;

-- Salted digests of what a person had forgotten or corrected: what was stated up to `until` does not come back.
CREATE TABLE tombstones (
    digest BLOB PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What somebody asked in talk to have forgotten, in the message `node_id`: it waits for a person. `subject` asked it.
CREATE TABLE pending_requests (
    request_id TEXT PRIMARY KEY,
    node_id TEXT NOT NULL REFERENCES nodes (node_id),
    subject TEXT NOT NULL,
    words TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'confirmed', 'dismissed'))
) STRICT, WITHOUT ROWID;

CREATE TABLE reinforcements (
    node_id TEXT NOT NULL REFERENCES nodes (node_id),
    recalled_at INTEGER NOT NULL,
    times INTEGER NOT NULL,
    PRIMARY KEY (node_id, recalled_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE outcomes (
    event_id TEXT PRIMARY KEY,
    ms INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    job_key TEXT NOT NULL,
    generation INTEGER NOT NULL,
    kind TEXT NOT NULL,
    engine TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt_version TEXT NOT NULL,
    calls INTEGER NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    cost_usd REAL NOT NULL,
    accepted INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    unknown_language INTEGER NOT NULL,
    took_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX outcomes_by_job ON outcomes (job_key);

-- `target` is a node id, or an entity id where kind is 'entity'.
CREATE TABLE edges (
    kind TEXT NOT NULL CHECK (kind IN ('temporal', 'causal', 'derived_from', 'supersedes', 'entity')),
    source TEXT NOT NULL REFERENCES nodes (node_id),
    target TEXT NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_until INTEGER,
    confidence REAL NOT NULL,
    PRIMARY KEY (kind, source, target)
) STRICT, WITHOUT ROWID;
-- Without statistics SQLite would read all edges of a kind rather than those of a target where this did not cover them.
CREATE INDEX edges_by_target ON edges (target, kind, source, valid_from);

CREATE TABLE scenes (
    scene TEXT PRIMARY KEY,
    summary TEXT NOT NULL,
    cells INTEGER NOT NULL,
    stale INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE entities (
    entity_id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('person', 'project', 'organization', 'place', 'concept', 'tool')),
    name TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE entity_aliases (
    alias TEXT PRIMARY KEY,
    entity_id TEXT NOT NULL REFERENCES entities (entity_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    job_key TEXT NOT NULL,
    generation INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('extract', 'resolve', 'consolidate')),
    inputs TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('due', 'failed', 'done', 'void')),
    reason TEXT NOT NULL,
    position_ms INTEGER NOT NULL,
    position_seq INTEGER NOT NULL,
    PRIMARY KEY (job_key, generation)
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_due ON jobs (kind, position_ms, position_seq) WHERE state = 'due';

CREATE TABLE dead_letters (
    ms INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    event_id TEXT,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    body BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('parked', 'requeued', 'discarded')),
    PRIMARY KEY (ms, seq)
) STRICT, WITHOUT ROWID;

-- What was asked through a door, of the file as of a position, and what the answer told; `query` is empty where only
-- its salted hash is kept, or where it was itself the message `message` (a node id).
CREATE TABLE recalls (
    recall_id TEXT PRIMARY KEY,
    event_id TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    about INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('recall', 'context')),
    query TEXT NOT NULL,
    query_chars INTEGER NOT NULL,
    query_hash TEXT NOT NULL,
    message TEXT,
    position_ms INTEGER NOT NULL,
    position_seq INTEGER NOT NULL,
    options TEXT NOT NULL,
    digest TEXT NOT NULL,
    reinforces INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX recalls_in_time ON recalls (asked_at);

-- The lines of an answer in order; `node_id` is a scene's key where `kind` is 'scene'.
CREATE TABLE recalled_nodes (
    recall_id TEXT NOT NULL REFERENCES recalls (recall_id),
    place INTEGER NOT NULL,
    kind TEXT NOT NULL,
    node_id TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (recall_id, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX recalled_nodes_by_node ON recalled_nodes (node_id);

-- What was erased, by the salted hash of its event id in hexadecimal: it is not taken again.
CREATE TABLE erased_events (
    hash TEXT PRIMARY KEY,
    ms INTEGER NOT NULL,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- From here on nothing is part of the log's story, and nothing is in a hash.

-- For each fold table the number of its rows and the sum of their hashes, kept as rows change.
CREATE TABLE checksums (
    table_name TEXT PRIMARY KEY,
    row_count INTEGER NOT NULL,
    row_sum BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One row: who may write.
CREATE TABLE lease (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    process_started_at INTEGER NOT NULL,
    renewed_at INTEGER NOT NULL
) STRICT;

-- What the dispatcher has handed out: attempts so far, and when to hand it out again.
CREATE TABLE dispatch (
    job_key TEXT NOT NULL,
    generation INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    PRIMARY KEY (job_key, generation)
) STRICT, WITHOUT ROWID;
