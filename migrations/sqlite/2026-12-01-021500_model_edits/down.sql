DROP TABLE model_edits;
