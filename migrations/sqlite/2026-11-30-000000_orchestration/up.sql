-- What is kept of requests that the gateway answers in several calls: what calls were made for, offers to go on with a
-- dearer layer, what became of requests, experiments, notes and calibrations. Money is nano-USD, times are microseconds
-- since 1970 (UTC).

-- The dearest layer that answered in a conversation.
ALTER TABLE conversations ADD COLUMN route_layer TEXT;

-- What a call was made for.
ALTER TABLE llm_calls ADD COLUMN purpose TEXT NOT NULL DEFAULT 'answer';

-- Offers to go on with a dearer layer. Texts are kept until somebody decides.
CREATE TABLE escalations (
    id TEXT NOT NULL PRIMARY KEY,
    -- A digest of who was offered it, in hexadecimal digits.
    caller TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    request_id TEXT NOT NULL,
    conversation_id TEXT,
    user_seq BIGINT,
    -- The request's body as it came.
    body TEXT NOT NULL,
    -- A digest of what it means, in hexadecimal digits.
    request_hash TEXT NOT NULL,
    from_layer TEXT NOT NULL,
    to_layer TEXT NOT NULL,
    reason TEXT NOT NULL,
    estimated_nano_usd BIGINT NOT NULL,
    -- What the better model would be told.
    note TEXT NOT NULL,
    -- The answer so far, where whoever decides may still want it.
    answer TEXT,
    state TEXT NOT NULL CHECK (state = 'pending' OR state = 'approved' OR state = 'rejected'),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    decided_at BIGINT
);

-- They are removed an hour after they ended: whoever comes later is told so by the token itself.
CREATE INDEX escalations_by_expiry ON escalations (expires_at);

-- What became of requests whose model the gateway chose, and what callers said of them. No text but the remark.
CREATE TABLE outcomes (
    request_id TEXT NOT NULL PRIMARY KEY,
    key_id TEXT,
    user_id TEXT,
    project_id TEXT,
    conversation_id TEXT,
    endpoint TEXT NOT NULL,
    task TEXT NOT NULL,
    complexity TEXT,
    quality TEXT NOT NULL,
    difficulty_milli BIGINT,
    start_layer TEXT,
    layer TEXT NOT NULL,
    model_id TEXT NOT NULL,
    strategy TEXT,
    cross_check TEXT NOT NULL,
    votes INTEGER,
    confidence_milli INTEGER,
    evidence TEXT,
    escalated BOOLEAN NOT NULL,
    -- The model whose answer a better one's replaced.
    replaced_model_id TEXT,
    ended TEXT NOT NULL CHECK (ended = 'answered' OR ended = 'failed' OR ended = 'refused' OR ended = 'left'),
    accepted BOOLEAN,
    rating INTEGER CHECK (rating >= -1 AND rating <= 1),
    tests_passed BIGINT,
    tests_failed BIGINT,
    comment TEXT,
    experiment_id TEXT,
    arm TEXT,
    cost_nano_usd BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX outcomes_by_time ON outcomes (created_at);
CREATE INDEX outcomes_by_experiment ON outcomes (experiment_id, created_at) WHERE experiment_id IS NOT NULL;

-- Comparisons of ways to choose a model. Arms and guard rails are JSON.
CREATE TABLE experiments (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status = 'running' OR status = 'paused' OR status = 'stopped'),
    task TEXT,
    sticky TEXT NOT NULL CHECK (sticky = 'conversation' OR sticky = 'user' OR sticky = 'request'),
    arms TEXT NOT NULL,
    guard TEXT NOT NULL,
    stopped_reason TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);

-- Rules for choosing models, and notes of bugs for people. The data is JSON.
CREATE TABLE improvements (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind = 'heuristic' OR kind = 'bug'),
    title TEXT NOT NULL,
    data TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);

-- Calibrations that were applied on top of the file that a gateway starts with; the newest that is not superseded holds.
CREATE TABLE calibrations (
    id TEXT NOT NULL PRIMARY KEY,
    data TEXT NOT NULL,
    summary TEXT NOT NULL,
    superseded_at BIGINT,
    created_at BIGINT NOT NULL
);
