-- A move of another database's data into this one that has not ended: one row while it is under way, or when it was
-- stopped, and none otherwise. With it a part of the data is here, and no gateway starts.
CREATE TABLE moves (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    -- Where the data comes from, without a password.
    source TEXT NOT NULL,
    -- Row counts and sums of the source's tables: another source has others, and so has the same one after a change.
    source_totals TEXT NOT NULL,
    -- The row that was copied last: its table, and its key, which in some tables is a number within an id. Tables are
    -- copied one after the other, each in the order of its keys.
    last_table TEXT,
    last_key TEXT,
    last_number BIGINT,
    CHECK ((last_table IS NULL) = (last_key IS NULL)),
    CHECK ((last_table IS NULL) = (last_number IS NULL))
);
