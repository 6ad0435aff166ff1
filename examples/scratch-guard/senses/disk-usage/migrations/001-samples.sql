CREATE TABLE samples (
  at INTEGER PRIMARY KEY,
  disk_percent INTEGER NOT NULL,
  scratch_bytes INTEGER NOT NULL,
  scratch_percent INTEGER NOT NULL
) STRICT;
