ALTER TABLE llm_calls DROP COLUMN price;
ALTER TABLE llm_calls DROP COLUMN cache_write_1h_tokens;
ALTER TABLE llm_calls DROP COLUMN cache_write_5m_tokens;
