//! The records of `__consumer_offsets`, one file per kind, in Kafka's published formats.
