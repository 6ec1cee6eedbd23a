//! Weights as products read them, kept while a training step lasts: its parts pass one after the other with the same ones, and
//! packing and transforming them anew takes a twentieth of a step of ACR on small images.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::maps::Weights;
use crate::kernels::Real;
use crate::kernels::stage::Map;

/// What one form of a weight depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Where the weight lies.
    pub address: usize,
    /// The stage's map.
    pub map: Map,
    /// Samples in all: they say whether Winograd's form is worth it.
    pub samples: usize,
    /// Whether it is for the way back.
    pub back: bool,
    /// Whether the stage unfolds its input.
    pub unfolds: bool,
}

/// The forms of a step's weights. Threads share them.
pub struct Kept {
    /// Where weights lie that stay as they are. Nothing else can lie there while they live.
    addresses: HashSet<usize>,
    made: Mutex<HashMap<Key, Arc<dyn Any + Send + Sync>>>,
}

thread_local! {
    static OPEN: RefCell<Option<Arc<Kept>>> = const { RefCell::new(None) };
}

impl Kept {
    /// Nothing yet, for weights at these addresses: they must neither change nor move until the last use of this ends.
    pub fn new(addresses: HashSet<usize>) -> Arc<Self> {
        Arc::new(Kept { addresses, made: Mutex::default() })
    }

    /// Runs `f`, whose products on this thread share what they make of those weights.
    pub fn share<R>(self: &Arc<Self>, f: impl FnOnce() -> R) -> R {
        /// Puts back what was open before, whatever becomes of `f`.
        struct Restore(Option<Arc<Kept>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                OPEN.set(self.0.take());
            }
        }
        let _restore = Restore(OPEN.replace(Some(self.clone())));
        f()
    }

    /// How many forms were made.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// What `make` makes of a weight, or what it made before, where the open step keeps that.
pub(super) fn once<F: Real>(key: Key, make: impl FnOnce() -> Weights<F>) -> Arc<Weights<F>> {
    let Some(kept) = OPEN.with_borrow(|open| open.clone().filter(|kept| kept.addresses.contains(&key.address))) else {
        return Arc::new(make());
    };
    // A panic elsewhere leaves the map whole.
    let known = || kept.made.lock().unwrap_or_else(PoisonError::into_inner);
    let found = known().get(&key).cloned().and_then(|made| made.downcast().ok());
    found.unwrap_or_else(|| {
        // Two threads may make the same: it is equal, and neither waits for the other.
        let made = Arc::new(make());
        known().insert(key, made.clone());
        made
    })
}
