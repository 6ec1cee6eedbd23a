//! One file of an item: whoever claims it brings it, and unpacks it where it is an archive.

use std::fs;
use std::path::Path;

use zsad_core::{Error, Result};
use zsad_data::manifest::ManifestFile;

use crate::claim::{Part, claim};
use crate::client::Client;
use crate::event::{Event, Observer};
use crate::expected::Expected;
use crate::fetch::{How, Wanted};
use crate::place::unpack;
use crate::settings::Settings;
use crate::state::{self, State};
use crate::sums::{self, Sums};
use crate::{Lock, Seen};

/// Obtains files.
pub struct Fetcher<'a> {
    /// How.
    pub settings: &'a Settings,
    /// Who hears of it.
    pub hear: Observer<'a>,
    /// `None`: offline.
    pub client: Option<Client>,
}

impl Fetcher<'_> {
    /// Brings `file`, unless it is there and whole.
    ///
    /// # Errors
    /// Where no source serves what is expected, another file is in its place, or a person wants to end.
    pub fn obtain(&self, wanted: &Wanted, file: &ManifestFile) -> Result<How> {
        let settings = self.settings;
        settings.stop.check()?;
        let data = &settings.data.path;
        let target = data.join(&file.path);
        // Parts are of archives; what is no archive is wanted whole.
        let parts: &[String] = if file.unpacking().is_some() { &wanted.parts } else { &[] };
        let lock = Lock::read(data)?;
        let expected = Expected::of(file, lock.files.get(&file.path));
        let is_archive = file.unpacking().is_some();
        if !is_archive && target.exists() {
            return self.whole(&target, &expected).map(|_| How::Already);
        }
        let is_here = || Ok(state::of_file(data, file, parts, &lock)? == State::Here);
        if is_here()? {
            return Ok(How::Already);
        }
        let is_cached =
            || file.hub.as_ref().is_some_and(|hub| settings.hub.cached(hub, &wanted.manifest.revision).is_some());
        if self.client.is_none() && !target.exists() && !is_cached() {
            // Not even an empty folder is left.
            return Err(self.offline(wanted.manifest, file, &target));
        }
        let say = |line: String| (self.hear)(Event::Said(&line));
        let mut waits = || say(format!("{}: another process is fetching it; waiting for it", file.path));
        let Some(part) = claim(&target, &is_here, &mut waits, &settings.stop)? else {
            say(format!("{}: another process has fetched it", file.path));
            return Ok(How::Waited);
        };
        self.bring(wanted, file, parts, &part, &target, expected)
    }

    /// Brings the file, and unpacks it where it is an archive. The part is locked all the while.
    fn bring(
        &self,
        wanted: &Wanted,
        file: &ManifestFile,
        parts: &[String],
        part: &Part,
        target: &Path,
        expected: Expected,
    ) -> Result<How> {
        let data = &self.settings.data.path;
        let how = if target.exists() {
            self.whole(target, &expected)?;
            How::Unpacked
        } else {
            let first = expected.trusts_first_use();
            let (how, sums, vouched) = self.source(wanted.manifest, file, part, target, &expected)?;
            if first {
                let from = match &how {
                    How::Fetched(url, _) => url.clone(),
                    How::Cached(path) => path.display().to_string(),
                    _ => String::new(),
                };
                let seen = Seen { size: sums.size, sha256: sums.sha256, from, vouched };
                Lock::change(data, |lock| drop(lock.files.insert(file.path.clone(), seen)))?;
            }
            how
        };
        if file.unpacking().is_some() {
            unpack(self.settings, self.hear, file, parts, target)?;
            if !(file.keep || self.settings.keep) {
                fs::remove_file(target).map_err(|e| Error::io(target, &e))?;
            }
        }
        Ok(how)
    }

    /// A file that is there must be what is expected; it is never overwritten.
    fn whole(&self, target: &Path, expected: &Expected) -> Result<Sums> {
        match expected.check(target, &self.settings.stop, &mut |_| ())? {
            Err(_) if expected.unconfirmed => sums::of_file(target, &[], &self.settings.stop, &mut |_| ()),
            found => found.map_err(|mismatch| {
                let hint = "move it away, or remove it with zsad data remove, to have it fetched";
                Error::data(target, format!("another file is here: {mismatch}"), hint)
            }),
        }
    }
}
