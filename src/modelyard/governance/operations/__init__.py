"""The operations of this part; importing it fills the table."""

from modelyard.governance.operations import audit, changes, cloudtrail, explanation, past_states

__all__ = ["audit", "changes", "cloudtrail", "explanation", "past_states"]
