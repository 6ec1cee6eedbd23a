//! How to fetch.

use std::time::Duration;

use zsad_core::{DataDir, Stop, env};

use crate::HubSettings;

/// How to fetch, and where to.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data folder.
    pub data: DataDir,
    /// Open no socket.
    pub offline: bool,
    /// The person has accepted the licences.
    pub accept_licence: bool,
    /// Archives stay after unpacking.
    pub keep: bool,
    /// Tries in a row without a new byte, after which a source is given up.
    pub tries: u32,
    /// The wait before the second of them; it doubles up to a minute.
    pub first_wait: Duration,
    /// How long a server may be silent.
    pub timeout: Duration,
    /// The Hugging Face hub.
    pub hub: HubSettings,
    /// Ends it after the running step.
    pub stop: Stop,
}

impl Settings {
    /// The usual ones, with what the environment says of the hub; `offline` where that is wanted, or `HF_HUB_OFFLINE` is
    /// set to something that means yes.
    pub fn new(data: DataDir, offline: bool) -> Self {
        let says_offline = env::variable("HF_HUB_OFFLINE")
            .is_some_and(|v| ["1", "on", "yes", "true"].contains(&v.to_string_lossy().to_lowercase().as_str()));
        Settings {
            data,
            offline: offline || says_offline,
            accept_licence: false,
            keep: false,
            tries: 5,
            first_wait: Duration::from_secs(1),
            timeout: Duration::from_secs(60),
            hub: HubSettings::from_environment(),
            stop: Stop::default(),
        }
    }
}
