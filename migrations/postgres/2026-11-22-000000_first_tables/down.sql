DROP TABLE llm_calls;
DROP TABLE todo_lists;
DROP TABLE context_summaries;
DROP TABLE messages;
DROP TABLE conversations;
