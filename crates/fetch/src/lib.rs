//! Data and weights of zsad: fetched, verified, unpacked, put in place.

pub mod archive;
