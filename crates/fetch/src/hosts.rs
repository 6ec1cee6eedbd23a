//! At most two requests at a time to one host: more gets a person blocked at some of them.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};

const AT_ONCE: usize = 2;

/// Who is being asked now.
#[derive(Default)]
pub struct Hosts {
    busy: Mutex<BTreeMap<String, usize>>,
    freed: Condvar,
}

/// The right to ask a host, until it is dropped.
pub struct Permit<'a> {
    hosts: &'a Hosts,
    host: String,
}

impl Hosts {
    /// Waits for a turn at `host`.
    pub fn enter(&self, host: &str) -> Permit<'_> {
        // Nothing panics while the lock is held.
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        while busy.get(host).is_some_and(|n| *n >= AT_ONCE) {
            busy = self.freed.wait(busy).unwrap_or_else(PoisonError::into_inner);
        }
        *busy.entry(host.to_owned()).or_default() += 1;
        Permit { hosts: self, host: host.to_owned() }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut busy = self.hosts.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(n) = busy.get_mut(&self.host) {
            *n -= 1;
        }
        self.hosts.freed.notify_all();
    }
}
