//! Methods of zsad: one file each behind one registry, with one conformance suite for all.
