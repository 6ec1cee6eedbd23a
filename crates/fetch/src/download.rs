//! Brings the bytes of a file into its part: resumed where that is safe, tried again where that may help, from the next
//! source where it does not.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use zsad_core::{Error, Result, file};

use crate::claim::{Part, note_of};
use crate::client::{Client, Failure, Follow, Reply};
use crate::event::{Event, Observer};
use crate::expected::Expected;
use crate::settings::Settings;
use crate::sums::Sums;
use crate::wait;

/// Bytes that are looked at to tell a page from a file.
const LOOK: usize = 512;

/// What is to be brought, and where to.
pub struct Download<'a> {
    /// Asks.
    pub client: &'a Client,
    /// How patiently.
    pub settings: &'a Settings,
    /// Who hears of it.
    pub hear: Observer<'a>,
    /// The file, relative to the data folder: for messages.
    pub path: &'a str,
    /// Where it goes in the end.
    pub target: &'a Path,
    /// Where it grows.
    pub part: &'a Part,
    /// What it must be.
    pub expected: &'a Expected,
}

/// Tries until `attempt` is well, fails for good, or has failed `tries` times in a row without `progress`.
///
/// # Errors
/// [`Failure::Lasting`] or [`Failure::Fatal`].
pub fn patiently<T>(
    settings: &Settings,
    hear: Observer,
    progress: &dyn Fn() -> u64,
    attempt: &mut dyn FnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (mut failed, mut furthest) = (0, progress());
    loop {
        settings.stop.check()?;
        let (why, after) = match attempt() {
            Err(Failure::Passing(why, after)) => (why, after),
            done => return done,
        };
        if progress() > furthest {
            (failed, furthest) = (0, progress());
        }
        failed += 1;
        if failed >= settings.tries {
            let tries = if failed > 1 { format!(" ({failed} tries in a row)") } else { String::new() };
            return Err(Failure::Lasting(format!("{why}{tries}")));
        }
        let wait = after.unwrap_or_else(|| wait::back_off(settings.first_wait, failed));
        let shown = humantime::format_duration(Duration::from_millis(wait.as_millis() as u64));
        hear(Event::Said(&format!("{why}; trying again in {shown}")));
        wait::pause(wait, &settings.stop)?;
    }
}

impl Download<'_> {
    /// Brings the file from the first of `urls` that serves what is expected: its sums, and the URL.
    ///
    /// # Errors
    /// [`Failure::Lasting`] with what each source said, or [`Failure::Fatal`]. The part stays, to go on with.
    pub fn bring(&self, urls: &[String]) -> Result<(Sums, String), Failure> {
        let mut said = Vec::new();
        for (i, url) in urls.iter().enumerate() {
            let brought = self.bring_from(url);
            (self.hear)(Event::Ended { path: self.path });
            match brought {
                Ok(sums) => return Ok((sums, url.clone())),
                Err(fatal @ Failure::Fatal(_)) => return Err(fatal),
                Err(Failure::Lasting(why) | Failure::Passing(why, _)) => {
                    if i + 1 < urls.len() {
                        (self.hear)(Event::Said(&format!("{why}; trying the next source")));
                    }
                    said.push(why);
                }
            }
        }
        Err(Failure::Lasting(said.join("; ")))
    }

    fn bring_from(&self, url: &str) -> Result<Sums, Failure> {
        let mut anew = false;
        loop {
            let before = self.length();
            patiently(self.settings, self.hear, &|| self.length(), &mut || self.attempt(url))?;
            let mismatch = match self.expected.check(&self.part.path, &self.settings.stop, &mut |_| ())? {
                Ok(sums) => return Ok(sums),
                Err(mismatch) => mismatch,
            };
            if self.expected.unconfirmed && self.expected.size_fits(self.length()).is_ok() {
                (self.hear)(Event::Said(&format!("warning: {}: {mismatch}; nobody confirms that", self.path)));
                return Ok(crate::sums::of_file(&self.part.path, &[], &self.settings.stop, &mut |_| ())?);
            }
            self.clear()?;
            // What was there before may be to blame.
            if before == 0 || std::mem::replace(&mut anew, true) {
                return Err(Failure::Lasting(format!("{url}: {mismatch}")));
            }
            (self.hear)(Event::Said(&format!("{}: {mismatch}; starting anew", self.path)));
        }
    }

    fn attempt(&self, url: &str) -> Result<(), Failure> {
        let note = fs::read_to_string(note_of(self.target)).unwrap_or_default();
        let (noted_url, validator) = note.split_once('\n').unwrap_or_default();
        let validator = Some(validator).filter(|v| noted_url == url && !v.is_empty());
        let mut offset = self.length();
        // What cannot be recognised in the end is only continued where the server vouches that it is the same file.
        let is_over = self.expected.size.is_some_and(|size| offset > size);
        if offset > 0 && (is_over || (validator.is_none() && self.expected.trusts_first_use())) {
            self.clear()?;
            offset = 0;
        }
        if offset > 0 && self.expected.size == Some(offset) {
            return Ok(());
        }
        let mut headers = Vec::new();
        if offset > 0 {
            headers.push(("range", format!("bytes={offset}-")));
            headers.extend(validator.map(|v| ("if-range", v.to_owned())));
        }
        let mut reply = self.client.ask(url, &headers, false, Follow::All)?;
        let total = match reply.status {
            206 => {
                let (from, total) = range(reply.header("content-range").unwrap_or_default());
                if from != Some(offset) {
                    self.clear()?;
                    return Err(Failure::Passing(format!("{url}: the server sends another part than asked for"), None));
                }
                total
            }
            200 => {
                if offset > 0 {
                    (self.hear)(Event::Said(&format!("{}: the server starts anew", self.path)));
                    self.clear()?;
                    offset = 0;
                }
                reply.header("content-length").and_then(|l| l.parse().ok())
            }
            416 => {
                self.clear()?;
                return Err(reply.refusal_as_passing());
            }
            _ => return Err(reply.refusal()),
        };
        self.refuse(&reply, total)?;
        if offset == 0 {
            let strong = reply.header("etag").filter(|e| !e.starts_with("W/"));
            let validator = strong.or_else(|| reply.header("last-modified")).unwrap_or_default();
            file::write(&note_of(self.target), format!("{url}\n{validator}").as_bytes())?;
        }
        (self.hear)(Event::Begun { path: self.path, at: offset, of: total.or(self.expected.size) });
        self.take(url, &mut reply, offset, total)
    }

    /// Refuses what can be known to be wrong before its bytes come.
    fn refuse(&self, reply: &Reply, total: Option<u64>) -> Result<(), Failure> {
        let lasting = |why: String| Err(Failure::Lasting(format!("{}: {why}", reply.url)));
        let is_page =
            reply.header("content-type").is_some_and(|t| t.trim_start().to_lowercase().starts_with("text/html"));
        if is_page && !self.expects_page() {
            return lasting(PAGE.into());
        }
        if let Some(encoding) = reply.header("content-encoding").filter(|e| *e != "identity") {
            return lasting(format!("the server sends it as `{encoding}`, though asked not to"));
        }
        match total.map(|total| self.expected.size_fits(total)) {
            Some(Err(mismatch)) => lasting(mismatch.to_string()),
            _ => Ok(()),
        }
    }

    fn expects_page(&self) -> bool {
        [".html", ".htm"].iter().any(|ending| self.path.ends_with(ending))
    }

    /// Writes the body behind what is there.
    fn take(&self, url: &str, reply: &mut Reply, offset: u64, total: Option<u64>) -> Result<(), Failure> {
        let mut out: &File = &self.part.file;
        out.seek(SeekFrom::Start(offset)).map_err(|e| self.disk(&e))?;
        let mut body = reply.reader();
        let mut buffer = vec![0; 1 << 17];
        let mut length = offset;
        loop {
            self.settings.stop.check()?;
            let n = body.read(&mut buffer).map_err(|e| Failure::Passing(format!("{url}: {e}"), None))?;
            if n == 0 {
                break;
            }
            if length == 0 && looks_like_a_page(&buffer[..n.min(LOOK)]) && !self.expects_page() {
                return Err(Failure::Lasting(format!("{url}: {PAGE}")));
            }
            length += n as u64;
            if let Some(size) = self.expected.size.filter(|size| length > *size) {
                self.clear()?;
                return Err(Failure::Lasting(format!("{url}: size: expected {size} bytes, found more")));
            }
            out.write_all(&buffer[..n]).map_err(|e| self.disk(&e))?;
            (self.hear)(Event::At { path: self.path, bytes: length });
        }
        match total.or(self.expected.size) {
            Some(all) if length < all => {
                Err(Failure::Passing(format!("{url}: breaks off after {length} of {all} bytes"), None))
            }
            _ => Ok(()),
        }
    }

    fn length(&self) -> u64 {
        self.part.file.metadata().map_or(0, |m| m.len())
    }

    fn clear(&self) -> Result<(), Failure> {
        self.part.file.set_len(0).map_err(|e| self.disk(&e))
    }

    /// The disk will have no more: that is the same for all sources.
    fn disk(&self, error: &std::io::Error) -> Failure {
        let full = [ErrorKind::StorageFull, ErrorKind::FileTooLarge, ErrorKind::QuotaExceeded];
        let hint = if full.contains(&error.kind()) {
            "what came so far is kept; make room, and the same command goes on with it"
        } else {
            ""
        };
        Failure::Fatal(Error::data(&self.part.path, format!("cannot be written: {error}"), hint))
    }
}

const PAGE: &str = "the server sends a web page (HTML) where a file is expected";

/// Whether the first bytes are those of HTML.
fn looks_like_a_page(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).to_lowercase();
    text.starts_with("<!doctype html") || text.starts_with("<html")
}

/// Where a part begins, and the length of the whole: `bytes 5-9/10`.
fn range(header: &str) -> (Option<u64>, Option<u64>) {
    let (range, total) = header.trim_start_matches("bytes").trim().split_once('/').unwrap_or_default();
    (range.split_once('-').and_then(|(from, _)| from.parse().ok()), total.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_known_by_their_first_bytes() {
        for page in ["<!DOCTYPE html><p>", "\n  <html lang=en>", "\u{feff}<HTML>"] {
            assert!(looks_like_a_page(page.as_bytes()), "{page}");
        }
        assert!(!looks_like_a_page(b"PK\x03\x04<html>") && !looks_like_a_page(b"<?xml version"));
    }

    #[test]
    fn content_range_is_read_as_rfc_9110_writes_it() {
        assert_eq!(range("bytes 42-1233/1234"), (Some(42), Some(1234)));
        assert_eq!(range("bytes 42-1233/*"), (Some(42), None));
        assert_eq!(range("bytes */1234"), (None, Some(1234)));
        assert_eq!(range(""), (None, None));
    }
}
