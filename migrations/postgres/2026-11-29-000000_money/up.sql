-- Keys, budgets and the books. Money is nano-USD, times are microseconds since 1970 (UTC). A scope is `global`,
-- `project:ID`, `user:ID`, `key:ID` or `conversation:ID`; a period `total`, `2026-11-29`, `2026-W48` or `2026-11`.

-- Random values that this database's gateways share, each made when it was first needed.
CREATE TABLE secrets (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- In hexadecimal digits.
    value TEXT NOT NULL
);

-- Virtual keys. The key itself is not here.
CREATE TABLE api_keys (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- HMAC-SHA-256 of the key under the secret `key_hash`, in hexadecimal digits.
    hash TEXT NOT NULL UNIQUE,
    -- The key's first characters, by which a person knows it.
    prefix TEXT NOT NULL,
    name TEXT NOT NULL,
    project_id TEXT,
    user_id TEXT,
    role TEXT NOT NULL CHECK (role = 'user' OR role = 'operator' OR role = 'admin'),
    max_layer TEXT CHECK (max_layer = 'L0' OR max_layer = 'L1' OR max_layer = 'L2' OR max_layer = 'L3'),
    -- A JSON array of names and patterns; NULL for all models.
    models TEXT,
    rpm BIGINT CHECK (rpm >= 0),
    tpm BIGINT CHECK (tpm >= 0),
    max_concurrent BIGINT CHECK (max_concurrent >= 0),
    -- The key before the last rotation, and until when it is still taken.
    previous_hash TEXT UNIQUE,
    previous_until BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    CHECK ((previous_hash IS NULL) = (previous_until IS NULL))
);

CREATE INDEX api_keys_by_change ON api_keys (updated_at);

-- Rates of projects and users; those of a key are its own.
CREATE TABLE rate_limits (
    scope TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    rpm BIGINT CHECK (rpm >= 0),
    tpm BIGINT CHECK (tpm >= 0),
    max_concurrent BIGINT CHECK (max_concurrent >= 0),
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);

CREATE INDEX rate_limits_by_change ON rate_limits (updated_at);

-- What may be spent. A row of a budget that was deleted stays, so that every process hears of it.
CREATE TABLE budgets (
    scope TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    limit_nano_usd BIGINT NOT NULL CHECK (limit_nano_usd >= 0),
    period_kind TEXT NOT NULL
        CHECK (period_kind = 'total' OR period_kind = 'daily' OR period_kind = 'weekly' OR period_kind = 'monthly'),
    on_exhausted TEXT NOT NULL CHECK (on_exhausted = 'refuse' OR on_exhausted = 'free_only'),
    max_layer TEXT CHECK (max_layer = 'L0' OR max_layer = 'L1' OR max_layer = 'L2' OR max_layer = 'L3'),
    -- A JSON array of percents.
    alert_percents TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);

CREATE INDEX budgets_by_change ON budgets (updated_at);

-- What was spent and is held of a budget in one period. Both are the sums of the ledger's deltas.
CREATE TABLE budget_periods (
    scope TEXT COLLATE "C" NOT NULL,
    period TEXT COLLATE "C" NOT NULL,
    posted BIGINT NOT NULL CHECK (posted >= 0),
    held BIGINT NOT NULL CHECK (held >= 0),
    -- How often the processes were asked to give back what they do not need.
    recall BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (scope, period)
);

-- A process's claim on its slices: it counts as dead when this has run out.
CREATE TABLE budget_leases (
    instance_id TEXT COLLATE "C" NOT NULL,
    epoch BIGINT NOT NULL CHECK (epoch >= 1),
    opened_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- `live`; `expired`: it ran out, and what its slices held was posted; `ended`: nothing can come of it any more.
    state TEXT NOT NULL CHECK (state = 'live' OR state = 'expired' OR state = 'ended'),
    PRIMARY KEY (instance_id, epoch)
);

CREATE INDEX budget_leases_by_expiry ON budget_leases (expires_at) WHERE state = 'live';

-- A process's part of a budget: held = granted - returned - posted, never less than 0, and 0 once its lease has ended.
CREATE TABLE budget_slices (
    scope TEXT COLLATE "C" NOT NULL,
    period TEXT COLLATE "C" NOT NULL,
    instance_id TEXT COLLATE "C" NOT NULL,
    epoch BIGINT NOT NULL,
    granted BIGINT NOT NULL CHECK (granted >= 0),
    returned BIGINT NOT NULL CHECK (returned >= 0 AND returned <= granted),
    posted BIGINT NOT NULL CHECK (posted >= 0),
    held BIGINT NOT NULL CHECK (held >= 0),
    -- What was posted when the lease ran out, and is not explained by call records yet.
    expired BIGINT NOT NULL DEFAULT 0 CHECK (expired >= 0),
    -- The last question of the lease about this scope, what it was given, and where there was not enough the recall that
    -- it waits for: asked again, it waits for the same one.
    seq BIGINT NOT NULL,
    seq_amount BIGINT NOT NULL,
    seq_recall BIGINT,
    -- The last recall that was answered.
    recall BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (scope, period, instance_id, epoch)
);

CREATE INDEX budget_slices_by_lease ON budget_slices (instance_id, epoch);

-- Every change of a budget's period, never changed itself.
CREATE TABLE budget_ledger (
    -- A UUID of version 7.
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    scope TEXT COLLATE "C" NOT NULL,
    period TEXT COLLATE "C" NOT NULL,
    -- `opening`, `grant`, `return`, `post`, `expire`, `adjust`, `release`.
    kind TEXT NOT NULL,
    posted_delta BIGINT NOT NULL,
    held_delta BIGINT NOT NULL,
    -- The process whose slice it was.
    instance_id TEXT,
    epoch BIGINT,
    -- How many call records it is for.
    calls BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL
);

CREATE INDEX budget_ledger_by_period ON budget_ledger (scope, period);

-- What was answered to requests that carry an Idempotency-Key.
CREATE TABLE idempotency (
    -- Who asked, by tenant, and where: `tenant|route`.
    owner TEXT COLLATE "C" NOT NULL,
    idempotency_key TEXT COLLATE "C" NOT NULL,
    -- SHA-256 of the body, in hexadecimal digits.
    body_hash TEXT NOT NULL,
    -- The request that does the work, and the process that serves it.
    request_id TEXT NOT NULL,
    instance_id TEXT NOT NULL,
    -- NULL while the work is under way.
    status INTEGER,
    -- A JSON array of pairs.
    headers TEXT,
    -- NULL also where it was too large to be kept.
    body BYTEA,
    created_at BIGINT NOT NULL,
    -- From when on the row is as if it were not there: while the work is under way, when it counts as abandoned.
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (owner, idempotency_key)
);

CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);
CREATE INDEX idempotency_under_way ON idempotency (instance_id) WHERE status IS NULL;

-- What operators are told of, and whether the webhook has it.
CREATE TABLE events (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- Once for each of these: a kind, a scope, a period, a threshold.
    once TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    -- A JSON object.
    detail TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    delivered_at BIGINT,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at BIGINT
);

CREATE INDEX events_to_deliver ON events (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

-- The virtual key that asked, and the budgets that the call is charged to: `{"epoch":1,"to":[["global","2026-11"]]}`.
ALTER TABLE llm_calls ADD COLUMN key_id TEXT;
ALTER TABLE llm_calls ADD COLUMN charges TEXT;

CREATE INDEX llm_calls_by_key ON llm_calls (key_id, started_at) WHERE key_id IS NOT NULL;
CREATE INDEX llm_calls_by_user ON llm_calls (user_id, started_at) WHERE user_id IS NOT NULL;
