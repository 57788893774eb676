"""Jobs: work that has an end. So far batch transform; processing, training and tuning join it here."""
