ALTER TABLE llm_calls DROP COLUMN output_cap_tokens;
