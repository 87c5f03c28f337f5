"""What operators do together with conversations: hand them round, label them, put them off, write notes.

Called by the dashboard. The verbs flush and never commit, send nothing and know no page.
"""
