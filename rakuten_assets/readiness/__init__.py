"""The document's pre-production checklist (11.3) and decision trees (11.1, 11.2), answered from what is stored."""
