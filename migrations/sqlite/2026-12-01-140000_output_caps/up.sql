-- The most output tokens that a call's request allowed, where a budget paid for it: what a provider billed beyond it is
-- found again by this.
ALTER TABLE llm_calls ADD COLUMN output_cap_tokens BIGINT;
