-- Responses that a later request may go on from. Each has what its own request added: a chain of them is a conversation.
-- No foreign key: one in the middle of a chain can be deleted, and those behind it are still read one by one.
CREATE TABLE responses (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- The response that it went on from, which may be gone.
    previous_id TEXT COLLATE "C" CHECK (previous_id <> id),
    request_id TEXT NOT NULL,
    model TEXT NOT NULL,
    -- What its own request gave, a JSON array.
    input TEXT NOT NULL,
    -- The response object as the client got it.
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- From then on it is as if it were not there, and is removed before long.
    expires_at BIGINT NOT NULL
);

CREATE INDEX responses_by_expiry ON responses (expires_at);
