-- Input that was written to the provider's cache, for a short and for a long time: parts of input_tokens, as
-- cached_input_tokens is. Rows that are there already were counted without them.
ALTER TABLE llm_calls ADD COLUMN cache_write_5m_tokens BIGINT NOT NULL DEFAULT 0;
ALTER TABLE llm_calls ADD COLUMN cache_write_1h_tokens BIGINT NOT NULL DEFAULT 0;
-- The whole price as JSON, in pico-USD per token, where the three price columns do not say all of it: prices of cache
-- writes or of reasoning, or other prices for a long input. NULL where they do, and where no price was known.
ALTER TABLE llm_calls ADD COLUMN price TEXT;
