DROP TABLE calibrations;
DROP TABLE improvements;
DROP TABLE experiments;
DROP TABLE outcomes;
DROP TABLE escalations;
ALTER TABLE llm_calls DROP COLUMN purpose;
ALTER TABLE conversations DROP COLUMN route_layer;
