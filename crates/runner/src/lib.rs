//! zsad: a reproducible benchmark harness for zero-shot, batch-level anomaly detection.
