//! Metrics of zsad: one file each, exact with ties, and the statistics over them.
