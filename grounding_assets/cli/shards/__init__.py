"""`auto_label generate` on a data set that is cut into shards: one after another, or in several processes side by side."""
