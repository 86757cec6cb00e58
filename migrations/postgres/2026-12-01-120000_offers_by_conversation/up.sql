-- They are deleted with their conversation.
CREATE INDEX escalations_by_conversation ON escalations (conversation_id) WHERE conversation_id IS NOT NULL;
