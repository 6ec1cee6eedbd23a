//! Data and weights of zsad: fetched, verified, unpacked, put in place.
//!
//! The way of a file: [`fetch`] finds what is missing → [`claim`] makes one process of several the one that fetches →
//! [`download`] brings the bytes into `<file>.part` → [`expected`] checks size, then hashes → the file is renamed, or
//! unpacked by [`archive`]. Nothing is used before it is checked, and an interruption leaves a `.part` that the next call
//! goes on with.
//!
//! # One downloader, and the hub's own layout
//!
//! Files of the Hugging Face hub lie in the cache that its other tools use, by the crate `hf-hub`: its types `Cache` and
//! `Repo` say where. Its network half is left out. Version 0.5 compares no checksum, does not resume, sends a person's
//! token to whatever `HF_ENDPOINT` names and knows no `HF_HUB_OFFLINE`; 1.0 the same, has no synchronous core (tokio,
//! reqwest) and brings 59 more crates, a C++-sized TLS library among them. All bytes come over this crate's downloader
//! instead, which keeps those rules for every host, by `ureq`: synchronous, TLS by rustls and ring.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "fixtures may be written in any way"))]

pub mod add;
pub mod archive;
mod claim;
mod client;
pub mod croissant;
mod download;
pub mod event;
pub mod expected;
pub mod fetch;
mod hosts;
mod hub;
mod lock;
mod obtain;
mod place;
pub mod plan;
pub mod receipt;
pub mod remove;
mod settings;
mod source;
pub mod state;
pub mod sums;
mod url;
pub mod verify;
mod wait;

pub use hub::HubSettings;
pub use lock::{Lock, Seen};
pub use settings::Settings;

/// Bytes for people: `9.5 MB`.
pub fn human(bytes: u64) -> String {
    let steps = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    match steps.iter().find(|(unit, _)| bytes as f64 >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / unit),
        None => format!("{bytes} bytes"),
    }
}
