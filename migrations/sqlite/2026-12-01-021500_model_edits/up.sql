-- What administrators say of how well models do, beside what outcomes say. Times are microseconds since 1970 (UTC).
CREATE TABLE model_edits (
    model_id TEXT NOT NULL PRIMARY KEY,
    -- Outcomes of the model from before then do not count.
    since BIGINT,
    -- Successes and failures that count besides, by kind of request: JSON.
    trials TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
