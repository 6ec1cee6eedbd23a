//! Where a run finds its things and computes: one value that is handed on, never a global.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::digest::Digester;
use crate::error::{Error, Result};
use crate::stop::Stop;

/// Where tensors live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// The processor without our kernels: every operation as a GPU computes it, composed of candle's own. For tests, and to
    /// tell whether a difference between two machines is the device's or the composition's.
    Composed,
    /// A CUDA device by number.
    Cuda(usize),
}

impl Device {
    /// `cpu`, `cpu, composed` or `cuda`: what can change the bits of a result, so it is part of keys; the number is not.
    pub fn kind(self) -> &'static str {
        match self {
            Device::Cpu => "cpu",
            Device::Composed => "cpu, composed",
            Device::Cuda(_) => "cuda",
        }
    }
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        match s.split_once(':') {
            None if s == "cpu" => Ok(Device::Cpu),
            Some(("cpu", "composed")) => Ok(Device::Composed),
            Some(("cuda", n)) => n.parse().map(Device::Cuda).map_err(|_| Error::Config(format!("`{s}`: want cuda:0"))),
            _ => Err(Error::Config(format!("unknown device `{s}`: cpu, cpu:composed or cuda:0"))),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            Device::Composed => f.write_str("cpu:composed"),
            Device::Cuda(n) => write!(f, "cuda:{n}"),
        }
    }
}

/// Where the data lie: `--data DIR`, else `$ZSAD_DATA`, else `data/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDir {
    /// The folder.
    pub path: PathBuf,
    /// How it was chosen, for error messages: `--data`, `$ZSAD_DATA` or `the default`.
    pub chosen_by: &'static str,
}

impl DataDir {
    /// The folder that `flag` (the value of `--data`), the environment or the default names.
    pub fn resolve(flag: Option<PathBuf>) -> Self {
        if let Some(path) = flag {
            return DataDir { path, chosen_by: "--data" };
        }
        match variable("ZSAD_DATA") {
            Some(path) => DataDir { path, chosen_by: "$ZSAD_DATA" },
            None => DataDir { path: "data".into(), chosen_by: "the default" },
        }
    }
}

/// A path from the environment, if it is set and not empty.
pub fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from)
}

/// All that work depends on beside what it is asked for.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Where data sets lie; the weights of frozen networks are in its folder `weights`.
    pub data: DataDir,
    /// Where tensors live.
    pub device: Device,
    /// A folder for caches that any run may share (features, digests); `None`: keep nothing.
    pub cache: Option<PathBuf>,
    /// Threads of a worker; results do not depend on them.
    pub threads: usize,
    /// Digests of files.
    pub digests: Digester,
    /// What is loaded once and used by many.
    pub memo: Memo,
    /// Whether work should end after its running step.
    pub stop: Stop,
}

impl Environment {
    /// The processor, one thread, no cache.
    pub fn new(data: DataDir) -> Self {
        Environment {
            data,
            device: Device::Cpu,
            cache: None,
            threads: 1,
            digests: Digester::default(),
            memo: Memo::default(),
            stop: Stop::default(),
        }
    }

    /// The same with a cache folder, in which digests of large files are remembered, too; with `rehash`, remembered ones
    /// are not trusted.
    pub fn with_cache(mut self, cache: Option<PathBuf>, rehash: bool) -> Self {
        self.digests = Digester::new(cache.as_ref().map(|c| c.join("digests.json")), rehash);
        self.cache = cache;
        self
    }
}

/// The folder for caches of all runs: `$ZSAD_CACHE`, else the user's cache folder; `None` where the system names none.
pub fn cache_folder() -> Option<PathBuf> {
    variable("ZSAD_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|p| p.join("zsad")))
        .or_else(|| variable("HOME").map(|p| p.join(".cache").join("zsad")))
}

type Kept = HashMap<(TypeId, String), Arc<dyn Any + Send + Sync>>;

/// Values that are made once per [`Environment`] and shared: loaded networks, mapped files. Clones share them.
#[derive(Clone, Default)]
pub struct Memo(Arc<Mutex<Kept>>);

impl Memo {
    /// The value kept under `key`.
    pub fn get<T: Any + Send + Sync>(&self, key: &str) -> Option<Arc<T>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&(TypeId::of::<T>(), key.to_owned()))?.clone().downcast().ok()
    }

    /// Keeps `value` under `key`, unless another thread was faster: then that one's value is returned.
    pub fn keep<T: Any + Send + Sync>(&self, key: &str, value: T) -> Arc<T> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = (TypeId::of::<T>(), key.to_owned());
        let value: Arc<T> = match kept.get(&entry).and_then(|v| v.clone().downcast().ok()) {
            Some(first) => return first,
            None => Arc::new(value),
        };
        kept.insert(entry, value.clone());
        value
    }

    /// The value kept under `key`, made where there is none. Two threads may both make it; one value is kept.
    ///
    /// # Errors
    /// That of `make`.
    pub fn get_or_make<T: Any + Send + Sync>(&self, key: &str, make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        match self.get(key) {
            Some(value) => Ok(value),
            None => Ok(self.keep(key, make()?)),
        }
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for device in [Device::Cpu, Device::Composed, Device::Cuda(3)] {
            assert_eq!(device.to_string().parse::<Device>().unwrap(), device);
        }
        for wrong in ["gpu", "cpu:fused", "cuda", "cuda:x", "cuda:-1"] {
            assert!(wrong.parse::<Device>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_memo_keeps_one_value_a_type_and_key() {
        let memo = Memo::default();
        assert_eq!(*memo.get_or_make("a", || Ok(1u32)).unwrap(), 1);
        assert_eq!(*memo.get_or_make("a", || Ok(2u32)).unwrap(), 1);
        assert_eq!(*memo.get_or_make("a", || Ok(3u64)).unwrap(), 3);
        assert!(memo.get_or_make("b", || Err::<u32, _>(Error::failed("no"))).is_err());
        assert_eq!(*memo.clone().keep("b", 4u32), 4);
        assert_eq!(memo.get::<u32>("b").as_deref(), Some(&4));
    }
}
