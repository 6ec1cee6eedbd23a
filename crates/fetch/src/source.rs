//! Where a file comes from: the hub's cache on this machine, the hub, then URL after URL.

use std::fs;
use std::path::Path;

use zsad_core::{Error, Result};
use zsad_data::manifest::{Checksum, Hub, Manifest, ManifestFile};

use crate::claim::{self, Part, claim, part_of};
use crate::client::{Client, Failure};
use crate::download::{Download, patiently};
use crate::event::Event;
use crate::expected::Expected;
use crate::fetch::How;
use crate::hub::{self, Remote};
use crate::obtain::Fetcher;
use crate::place::copy;
use crate::sums::{self, Sums};

impl Fetcher<'_> {
    /// Puts the file at `target`, from the hub's cache, the hub or a URL; and whether the hub vouched for it.
    ///
    /// # Errors
    /// Where no source serves what is expected.
    pub fn source(
        &self,
        manifest: &Manifest,
        file: &ManifestFile,
        part: &Part,
        target: &Path,
        expected: &Expected,
    ) -> Result<(How, Sums, bool)> {
        let settings = self.settings;
        let say = |line: &str| (self.hear)(Event::Said(line));
        if let Some(hub) = &file.hub
            && let Some((blob, sum)) = settings.hub.cached(hub, &manifest.revision)
        {
            let known = Expected { checksums: with(&expected.checksums, sum.as_ref()), ..expected.clone() };
            match known.check(&blob, &settings.stop, &mut |_| ())? {
                Ok(sums) => {
                    self.place(&blob, part, target)?;
                    return Ok((How::Cached(blob), sums, sum.is_some()));
                }
                Err(mismatch) => say(&format!("{}: damaged in the hub's cache: {mismatch}", blob.display())),
            }
        }
        let Some(client) = &self.client else { return Err(self.offline(manifest, file, target)) };
        if let Some(hub) = &file.hub {
            match self.bring_from_hub(client, (manifest, file, hub), part, target, expected) {
                Err(Failure::Lasting(why) | Failure::Passing(why, _)) if !file.urls.is_empty() => {
                    say(&format!("{why}; trying the next source"));
                }
                done => return done.map_err(|failure| not_fetched(failure, target, part)),
            }
        }
        let brought = self.download(client, file, part, target, expected).bring(&file.urls);
        let (sums, url) = brought.map_err(|failure| not_fetched(failure, target, part))?;
        claim::put(part, target)?;
        Ok((How::Fetched(url, sums.size), sums, false))
    }

    /// The error of a file that is not here while nothing may be asked.
    pub fn offline(&self, manifest: &Manifest, file: &ManifestFile, target: &Path) -> Error {
        let hint = "without --offline and HF_HUB_OFFLINE it is fetched";
        let served = crate::plan::urls(&self.settings.hub, manifest, file).into_iter().next();
        let served = served.map_or(String::new(), |url| format!(" (it is served at {url})"));
        Error::data(target, format!("not here, and nothing is fetched offline{served}"), hint)
    }

    /// From the hub, through its cache where there is one that can be written.
    fn bring_from_hub(
        &self,
        client: &Client,
        (manifest, file, hub): (&Manifest, &ManifestFile, &Hub),
        part: &Part,
        target: &Path,
        expected: &Expected,
    ) -> Result<(How, Sums, bool), Failure> {
        let (settings, revision) = (self.settings, &manifest.revision);
        let mut ask = || hub::look(client, &settings.hub, hub, revision);
        let remote = patiently(settings, self.hear, &|| 0, &mut ask)?;
        agree(&remote, expected)?;
        let vouched = remote.checksum().is_some();
        // What nobody confirms gives way to the hub's word.
        let ours: &[Checksum] = if vouched && expected.unconfirmed { &[] } else { &expected.checksums };
        let expected = Expected {
            size: expected.size.or(remote.size),
            checksums: with(ours, remote.checksum().as_ref()),
            unconfirmed: expected.unconfirmed && !vouched,
        };
        let Some(blob) = remote.blob(&settings.hub, hub, revision).filter(|blob| is_writable(blob)) else {
            let (sums, url) = self.download(client, file, part, target, &expected).bring(&[remote.url])?;
            claim::put(part, target)?;
            return Ok((How::Fetched(url, sums.size), sums, vouched));
        };
        let is_done = || Ok(expected.check(&blob, &settings.stop, &mut |_| ()).is_ok_and(|fits| fits.is_ok()));
        let mut waits = || (self.hear)(Event::Said(&format!("{}: another process is fetching it", blob.display())));
        if let Some(blob_part) = claim(&blob, &is_done, &mut waits, &settings.stop)? {
            self.download(client, file, &blob_part, &blob, &expected).bring(std::slice::from_ref(&remote.url))?;
            claim::put(&blob_part, &blob)?;
        }
        remote.link(&settings.hub, hub, revision)?;
        self.place(&blob, part, target)?;
        let sums = sums::of_file(target, &[], &settings.stop, &mut |_| ())?;
        Ok((How::Fetched(remote.url, sums.size), sums, vouched))
    }

    fn download<'b>(
        &'b self,
        client: &'b Client,
        file: &'b ManifestFile,
        part: &'b Part,
        target: &'b Path,
        expected: &'b Expected,
    ) -> Download<'b> {
        Download { client, settings: self.settings, hear: self.hear, path: &file.path, target, part, expected }
    }

    /// Puts a verified file of the hub's cache at `target`: as another name of the same bytes where the file system
    /// allows it, else as a copy.
    fn place(&self, blob: &Path, part: &Part, target: &Path) -> Result<()> {
        let linked = target.with_extension("link.tmp");
        // Of an earlier call that was killed; mostly not there.
        let _ = fs::remove_file(&linked);
        if fs::hard_link(blob, &linked).is_ok() {
            fs::rename(&linked, target).map_err(|e| Error::io(target, &e))?;
            return claim::sync_folder(target);
        }
        copy(blob, part)?;
        claim::put(part, target)
    }
}

/// Whether a blob can be written to the cache: others may own it, or have it read-only.
fn is_writable(blob: &Path) -> bool {
    let made = blob.parent().is_some_and(|folder| fs::create_dir_all(folder).is_ok());
    made && fs::File::options().create(true).append(true).open(part_of(blob)).is_ok()
}

/// The error of a file that no source served, with what each of them said.
fn not_fetched(failure: Failure, target: &Path, part: &Part) -> Error {
    let why = match failure {
        Failure::Fatal(error) => return error,
        Failure::Lasting(why) | Failure::Passing(why, _) => why,
    };
    let is_begun = part.file.metadata().is_ok_and(|m| m.len() > 0);
    let hint = if is_begun { "the same command goes on where this one stopped" } else { "" };
    Error::data(target, format!("not fetched: {why}"), hint)
}

/// The hub and the manifest must not contradict each other.
fn agree(remote: &Remote, expected: &Expected) -> Result<(), Failure> {
    if let Some(Err(mismatch)) = remote.size.map(|size| expected.size_fits(size)) {
        return Err(Failure::Lasting(format!("{}: {mismatch}", remote.url)));
    }
    let Some(theirs) = remote.checksum() else { return Ok(()) };
    let ours =
        expected.checksums.iter().find(|c| c.algorithm() == theirs.algorithm() && c.hex().len() == theirs.hex().len());
    match ours {
        Some(ours) if *ours != theirs && !expected.unconfirmed => {
            let (name, ours, theirs) = (ours.algorithm(), &ours.hex()[..16], &theirs.hex()[..16]);
            Err(Failure::Lasting(format!("{}: {name}: expected {ours}…, the hub has {theirs}…", remote.url)))
        }
        _ => Ok(()),
    }
}

fn with(checksums: &[Checksum], more: Option<&Checksum>) -> Vec<Checksum> {
    checksums.iter().chain(more).cloned().collect()
}
