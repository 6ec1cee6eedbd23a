//! Fetches what is missing of some items.

use std::fs;
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use zsad_core::{Error, Result};
use zsad_data::manifest::{Access, Checksum, Manifest, ManifestFile};

use crate::archive::{self, Limits};
use crate::claim::{self, Part, claim, part_of};
use crate::client::{Client, Failure};
use crate::download::{Download, patiently};
use crate::event::{Event, Observer};
use crate::expected::Expected;
use crate::hub::{self, Remote};
use crate::receipt::Receipt;
use crate::settings::Settings;
use crate::state::{self, State};
use crate::sums::{self, Sums};
use crate::{Lock, Seen};

/// Files that are fetched at the same time; at most two of them from one host.
const WORKERS: usize = 4;

/// An item, or parts of it.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The item.
    pub manifest: &'a Manifest,
    /// The wanted top folders of its archives; empty: all.
    pub parts: Vec<String>,
}

/// How a file came to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// It was, and is what it should be.
    Already,
    /// From a URL, with so many bytes in all.
    Fetched(String, u64),
    /// From the hub's cache of this machine, without a network.
    Cached(PathBuf),
    /// Another process brought it meanwhile.
    Waited,
    /// It had been fetched before, and was unpacked now.
    Unpacked,
}

/// What became of a file.
#[derive(Debug)]
pub struct Outcome {
    /// The item's name.
    pub item: String,
    /// The file, relative to the data folder.
    pub path: String,
    /// How it came, or why it did not.
    pub result: Result<How>,
}

/// Fetches what is missing of `wanted`, verifies what is there, and says what became of every file, in their order.
///
/// # Errors
/// [`Error::Config`] where a licence must be accepted first or parts are asked of what has none; what concerns one file
/// stands in its outcome.
pub fn fetch(wanted: &[Wanted], settings: &Settings, hear: Observer) -> Result<Vec<Outcome>> {
    wanted.iter().try_for_each(|w| may_fetch(w, settings))?;
    let client = (!settings.offline).then(|| Client::new(settings)).transpose()?;
    let fetcher = Fetcher { settings, hear, client };
    let all: Vec<(&Wanted, &ManifestFile)> =
        wanted.iter().flat_map(|w| w.manifest.files.iter().map(move |file| (w, file))).collect();
    let next = AtomicUsize::new(0);
    let results: Vec<OnceLock<Result<How>>> = all.iter().map(|_| OnceLock::new()).collect();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS.min(all.len()) {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some((wanted, file)) = all.get(i) else { break };
                    // Each number is drawn once, so nothing is there yet.
                    let _ = results[i].set(fetcher.obtain(wanted, file));
                }
            });
        }
    });
    let outcome = |((wanted, file), result): ((&Wanted, &ManifestFile), OnceLock<Result<How>>)| Outcome {
        item: wanted.manifest.name.clone(),
        path: file.path.clone(),
        // Every number was drawn before the scope ended.
        result: result.into_inner().unwrap_or(Err(Error::Stopped)),
    };
    Ok(all.into_iter().zip(results).map(outcome).collect())
}

/// Whether a program may fetch the item, and parts of it.
fn may_fetch(wanted: &Wanted, settings: &Settings) -> Result<()> {
    let Wanted { manifest, parts } = wanted;
    let name = &manifest.name;
    if !parts.is_empty() && manifest.files.iter().all(|f| f.unpacking().is_none()) {
        return Err(Error::Config(format!("`{name}/{}`: {name} is no archive with parts", parts[0])));
    }
    if state::of_item(&settings.data.path, manifest)? == State::Here {
        return Ok(());
    }
    match manifest.access {
        Access::Manual => {
            let steps = manifest.steps.as_deref().unwrap_or_default().trim();
            let hint = format!("then: zsad data add {name} FILE…");
            let message = format!("{} has to be fetched by a person:\n{steps}\n", manifest.title);
            Err(Error::data(settings.data.path.join(&manifest.files[0].path), message, hint))
        }
        Access::AcceptLicence if !settings.accept_licence && !settings.offline => Err(Error::Config(format!(
            "{}: its licence is {}; see {}; hint: --accept-licence says that you accept it",
            manifest.title, manifest.licence, manifest.homepage
        ))),
        _ => Ok(()),
    }
}

struct Fetcher<'a> {
    settings: &'a Settings,
    hear: Observer<'a>,
    /// `None`: offline.
    client: Option<Client>,
}

impl Fetcher<'_> {
    fn obtain(&self, wanted: &Wanted, file: &ManifestFile) -> Result<How> {
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
        let say = |line: String| (self.hear)(Event::Said(&line));
        let mut waits = || say(format!("{}: another process is fetching it; waiting for it", file.path));
        let Some(part) = claim(&target, &is_here, &mut waits, &settings.stop)? else {
            say(format!("{}: another process has fetched it", file.path));
            return Ok(How::Waited);
        };
        let result = self.bring(wanted, file, parts, &part, &target, expected);
        // An empty part is nothing to go on with.
        if part.file.metadata().is_ok_and(|m| m.len() == 0) && part_of(&target).exists() {
            let _ = fs::remove_file(&part.path);
            let _ = fs::remove_file(claim::note_of(&target));
        }
        result
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
            let (how, sums, vouched) = self.source(wanted.manifest, file, part, target, expected)?;
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

    /// Puts the file at `target`, from the hub's cache, the hub or a URL; and whether the hub vouched for it.
    fn source(
        &self,
        manifest: &Manifest,
        file: &ManifestFile,
        part: &Part,
        target: &Path,
        mut expected: Expected,
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
        let Some(client) = &self.client else {
            let hint = "without --offline and HF_HUB_OFFLINE it is fetched";
            let from = file.urls.first().cloned();
            let from = from.or_else(|| file.hub.as_ref().map(|h| settings.hub.url(h, &manifest.revision)));
            let served = from.map_or(String::new(), |url| format!(" (it is served at {url})"));
            return Err(Error::data(target, format!("not here, and nothing is fetched offline{served}"), hint));
        };
        if let Some(hub) = &file.hub {
            match self.from_hub(client, manifest, file, part, target, &mut expected) {
                Ok(done) => return Ok(done),
                Err(Failure::Fatal(error)) => return Err(error),
                Err(Failure::Lasting(why) | Failure::Passing(why, _)) if file.urls.is_empty() => {
                    return Err(Error::data(target, format!("not fetched: {why}"), ""));
                }
                Err(Failure::Lasting(why) | Failure::Passing(why, _)) => {
                    say(&format!("{why}; trying the next source than the hub's {}", hub.repo));
                }
            }
        }
        let (sums, url) = self.download(client, file, part, target, &expected).bring(&file.urls)?;
        claim::put(part, target)?;
        Ok((How::Fetched(url, sums.size), sums, false))
    }

    /// From the hub, through its cache where there is one.
    fn from_hub(
        &self,
        client: &Client,
        manifest: &Manifest,
        file: &ManifestFile,
        part: &Part,
        target: &Path,
        expected: &mut Expected,
    ) -> Result<(How, Sums, bool), Failure> {
        let (settings, revision) = (self.settings, &manifest.revision);
        let Some(hub) = &file.hub else { return Err(Failure::Lasting("not on the hub".into())) };
        let mut ask = || hub::look(client, &settings.hub, hub, revision);
        let remote = patiently(settings, self.hear, &|| 0, &mut ask)?;
        agree(&remote, expected)?;
        let vouched = remote.checksum().is_some();
        let expected = Expected {
            size: expected.size.or(remote.size),
            checksums: with(&expected.checksums, remote.checksum().as_ref()),
            unconfirmed: expected.unconfirmed && !vouched,
        };
        let Some(blob) = remote.blob(&settings.hub, hub, revision) else {
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

/// Writes what is at `from` into a part, from its beginning.
pub(crate) fn copy(from: &Path, part: &Part) -> Result<()> {
    let io = |e: std::io::Error| Error::io(&part.path, &e);
    let mut source = fs::File::open(from).map_err(|e| Error::io(from, &e))?;
    let mut to = &part.file;
    to.set_len(0).map_err(io)?;
    to.seek(SeekFrom::Start(0)).map_err(io)?;
    std::io::copy(&mut source, &mut to).map_err(io)?;
    Ok(())
}

/// Unpacks the archive at `from`, which was checked, and leaves a receipt.
pub(crate) fn unpack(
    settings: &Settings,
    hear: Observer,
    file: &ManifestFile,
    parts: &[String],
    from: &Path,
) -> Result<()> {
    let Some((mut spec, into)) = file.unpacking() else { return Ok(()) };
    if !parts.is_empty() {
        let above = "*/".repeat(spec.strip as usize);
        spec.members = parts.iter().map(|part| format!("{above}{part}/*")).collect();
    }
    let data = &settings.data.path;
    let size = fs::metadata(from).map_err(|e| Error::io(from, &e))?.len();
    hear(Event::Said(&format!("{}: unpacking into {into}", file.path)));
    let unpacked = archive::unpack(from, &spec, &data.join(into), &Limits::of_archive(size), &mut |_| ())?;
    if unpacked.files.is_empty() {
        let what = if parts.is_empty() { "nothing that is wanted".into() } else { format!("no {}", parts.join(", ")) };
        return Err(Error::data(from, format!("{what} is in it"), ""));
    }
    let below = |name: &PathBuf| format!("{into}/{}", name.to_string_lossy().replace('\\', "/"));
    let files: Vec<String> = unpacked.files.iter().map(below).collect();
    Receipt::add(data, file, parts, &files, &settings.stop)
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
