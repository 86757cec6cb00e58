-- The same tables and constraints as in migrations/sqlite; a test compares them.
-- Times are microseconds since 1970 (UTC), JSON is text, money is nano-USD and prices pico-USD per token.
-- Ids are compared byte by byte, whatever the language of the database: so does SQLite, and it is faster.

CREATE TABLE conversations (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id TEXT,
    project_id TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    metadata TEXT NOT NULL DEFAULT '{}',
    -- The place that the next message gets.
    next_seq BIGINT NOT NULL CHECK (next_seq >= 1),
    -- The turn that holds the conversation: all three or none.
    lease_request TEXT,
    lease_instance TEXT COLLATE "C",
    lease_expires_at BIGINT,
    CHECK ((lease_request IS NULL) = (lease_instance IS NULL)),
    CHECK ((lease_request IS NULL) = (lease_expires_at IS NULL))
);

CREATE INDEX conversations_by_lease ON conversations (lease_instance) WHERE lease_instance IS NOT NULL;

CREATE TABLE messages (
    conversation_id TEXT COLLATE "C" NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    seq BIGINT NOT NULL CHECK (seq >= 1),
    role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
    content TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status = 'pending' OR status = 'done' OR status = 'failed'),
    client_message_id TEXT COLLATE "C",
    -- The request that wrote the message; none for the empty answer of a turn that its process did not live to close.
    request_id TEXT,
    metadata TEXT NOT NULL DEFAULT '{}',
    created_at BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, seq),
    UNIQUE (conversation_id, client_message_id),
    -- The user has the odd places, the assistant the even ones: the answer to message n is message n + 1.
    CHECK ((role = 'user') = (seq % 2 = 1)),
    CHECK (role = 'user' OR client_message_id IS NULL),
    CHECK (role = 'user' OR status <> 'pending')
);

CREATE TABLE context_summaries (
    conversation_id TEXT COLLATE "C" NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    version BIGINT NOT NULL CHECK (version >= 1),
    summary TEXT NOT NULL,
    -- The last message that the summary covers.
    covers_seq BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, version)
);

CREATE TABLE todo_lists (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    conversation_id TEXT COLLATE "C" NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    todo_data TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX todo_lists_by_conversation ON todo_lists (conversation_id, created_at);

-- One row per attempt. Its id begins with the request's, so that a request's attempts are a range of the primary key.
-- No foreign keys: what was spent outlives the conversation that it was spent on.
-- Attempt ids begin with the time (UUID version 7), so the table is in order of time by its key, and rows are appended.
CREATE TABLE llm_calls (
    attempt_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    request_id TEXT NOT NULL,
    ordinal INTEGER NOT NULL CHECK (ordinal >= 1),
    instance_id TEXT NOT NULL,
    cell INTEGER NOT NULL,
    conversation_id TEXT COLLATE "C",
    user_id TEXT,
    project_id TEXT,
    endpoint TEXT NOT NULL,
    model_id TEXT NOT NULL,
    api_model TEXT NOT NULL,
    provider TEXT NOT NULL,
    layer TEXT NOT NULL CHECK (layer = 'L0' OR layer = 'L1' OR layer = 'L2' OR layer = 'L3'),
    task TEXT NOT NULL,
    input_tokens BIGINT NOT NULL,
    cached_input_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    usage_source TEXT NOT NULL
        CHECK (usage_source = 'reported' OR usage_source = 'estimated' OR usage_source = 'none'),
    cost_nano_usd BIGINT NOT NULL,
    held_nano_usd BIGINT NOT NULL,
    input_price_pico_usd BIGINT,
    cached_input_price_pico_usd BIGINT,
    output_price_pico_usd BIGINT,
    estimated BOOLEAN NOT NULL,
    streamed BOOLEAN NOT NULL,
    outcome TEXT NOT NULL,
    status INTEGER,
    success BOOLEAN NOT NULL,
    first_byte_us BIGINT,
    duration_us BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE INDEX llm_calls_by_conversation ON llm_calls (conversation_id) WHERE conversation_id IS NOT NULL;
CREATE INDEX llm_calls_by_project ON llm_calls (project_id, started_at) WHERE project_id IS NOT NULL;
