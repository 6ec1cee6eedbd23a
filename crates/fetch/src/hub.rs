//! Files of the Hugging Face hub: what it says of them, and the cache that its tools share.
//!
//! The layout is `models--owner--name/{blobs/<etag>, snapshots/<commit>/<file> → blob, refs/<revision>}`. The etag of a
//! large file is its SHA-256, that of a small one the SHA-1 that git gives it: so the hub fills in checksums that a
//! manifest lacks, and a cached file can be verified without a network.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use hf_hub::{Cache, CacheRepo, Repo};
use zsad_core::{Error, Result, env, file};
use zsad_data::manifest::{Checksum, Hub, RepoType};

use crate::claim::sync_folder;
use crate::client::{Client, Failure, Follow};
use crate::url::Origin;

const HOME: &str = "https://huggingface.co";

/// Where the hub and its cache are.
#[derive(Clone)]
pub struct HubSettings {
    /// `HF_ENDPOINT`, else the hub itself; without a slash at its end.
    pub endpoint: String,
    /// The cache that its tools share; `None` where the system tells no home folder.
    pub cache: Option<PathBuf>,
    /// The person's token.
    pub token: Option<String>,
}

impl fmt::Debug for HubSettings {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubSettings")
            .field("endpoint", &self.endpoint)
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}

impl HubSettings {
    /// As the hub's own tools read the environment: `HF_ENDPOINT`; `HF_HUB_CACHE`, `HF_HOME`, `XDG_CACHE_HOME`; `HF_TOKEN`,
    /// `HF_TOKEN_PATH`, `$HF_HOME/token`, none of them where `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set.
    pub fn from_environment() -> Self {
        let text = |name: &str| env::variable(name).map(|v| v.to_string_lossy().trim().to_owned());
        let in_home = || env::variable("HOME").map(|home| home.join(".cache"));
        let home = env::variable("HF_HOME")
            .or_else(|| env::variable("XDG_CACHE_HOME").or_else(in_home).map(|cache| cache.join("huggingface")));
        let cache = ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"].iter().find_map(|name| env::variable(name));
        let token_file = env::variable("HF_TOKEN_PATH").or_else(|| home.as_ref().map(|home| home.join("token")));
        let kept = || Some(fs::read_to_string(token_file?).ok()?.trim().to_owned());
        let token = match text("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            Some(_) => None,
            None => text("HF_TOKEN").or_else(kept).filter(|token| !token.is_empty()),
        };
        HubSettings {
            endpoint: text("HF_ENDPOINT").unwrap_or_else(|| HOME.into()).trim_end_matches('/').to_owned(),
            cache: cache.or_else(|| home.map(|home| home.join("hub"))),
            token,
        }
    }

    /// Whom the token is for: the hub, and what stands for it.
    pub fn trusted(&self) -> Vec<Origin> {
        [HOME, &self.endpoint].iter().filter_map(|url| Origin::of(url)).collect()
    }

    /// The URL of a file at a revision.
    pub fn url(&self, hub: &Hub, revision: &str) -> String {
        let folder = match hub.repo_type {
            RepoType::Model => "",
            RepoType::Dataset => "datasets/",
        };
        format!("{}/{folder}{}/resolve/{}/{}", self.endpoint, hub.repo, revision.replace('/', "%2F"), hub.file)
    }

    fn repo(&self, hub: &Hub, revision: &str) -> Option<CacheRepo> {
        let kind = match hub.repo_type {
            RepoType::Model => hf_hub::RepoType::Model,
            RepoType::Dataset => hf_hub::RepoType::Dataset,
        };
        let repo = Repo::with_revision(hub.repo.clone(), kind, revision.to_owned());
        Some(Cache::new(self.cache.clone()?).repo(repo))
    }

    /// The file in the cache, where the person has it, with the checksum that its blob is named by.
    pub fn cached(&self, hub: &Hub, revision: &str) -> Option<(PathBuf, Option<Checksum>)> {
        let repo = self.repo(hub, revision)?;
        let pointer = match is_hex(revision, 40) {
            true => Some(repo.pointer_path(revision).join(&hub.file)),
            false => repo.get(&hub.file),
        };
        let blob = fs::canonicalize(pointer?).ok()?;
        let sum = blob.file_name().and_then(|name| checksum(&name.to_string_lossy()));
        Some((blob, sum))
    }
}

/// What the hub says of a file.
#[derive(Debug, Default)]
pub struct Remote {
    /// Where it is served, at its commit where that is known.
    pub url: String,
    /// The commit that the revision is.
    pub commit: Option<String>,
    /// Its name among the blobs.
    pub etag: Option<String>,
    /// Bytes.
    pub size: Option<u64>,
}

/// Asks the hub for a file's headers. Redirects to where the bytes lie are not followed: the answer before them counts.
///
/// # Errors
/// Where it does not answer, or has no such file.
pub fn look(client: &Client, settings: &HubSettings, hub: &Hub, revision: &str) -> Result<Remote, Failure> {
    let url = settings.url(hub, revision);
    let reply = client.ask(&url, &[], true, Follow::Relative)?;
    match reply.status {
        200 | 301..=308 => {}
        401 | 403 => {
            let Failure::Lasting(why) = reply.refusal() else { return Err(reply.refusal()) };
            return Err(Failure::Lasting(format!("{why}: accept its terms on the hub's page and set HF_TOKEN")));
        }
        _ => return Err(reply.refusal()),
    }
    let named = |name: &str| reply.header(name).map(|v| v.trim_start_matches("W/").trim_matches('"').to_owned());
    let linked = named("x-linked-etag");
    // Behind a redirect the length is that of the redirect's own body.
    let length = if reply.status == 200 { reply.header("content-length") } else { None };
    let own = if reply.status == 200 { named("etag") } else { None };
    let size = reply.header("x-linked-size").or(length).and_then(|s| s.parse().ok());
    let commit = named("x-repo-commit").filter(|c| is_hex(c, 40));
    let url = settings.url(hub, commit.as_deref().unwrap_or(revision));
    Ok(Remote { url, commit, etag: linked.or(own).filter(|e| is_name(e)), size })
}

impl Remote {
    /// The checksum that the etag is.
    pub fn checksum(&self) -> Option<Checksum> {
        checksum(self.etag.as_deref()?)
    }

    /// Where the file's bytes go in the cache; `None` where the hub does not say enough, or there is no cache.
    pub fn blob(&self, settings: &HubSettings, hub: &Hub, revision: &str) -> Option<PathBuf> {
        let snapshot = settings.repo(hub, revision)?.pointer_path(self.commit.as_ref()?);
        Some(snapshot.parent()?.parent()?.join("blobs").join(self.etag.as_ref()?))
    }

    /// Makes the blob, which is there, known by its name at the commit, and the commit by the revision.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn link(&self, settings: &HubSettings, hub: &Hub, revision: &str) -> Result<()> {
        let (Some(repo), Some(commit), Some(etag)) = (settings.repo(hub, revision), &self.commit, &self.etag) else {
            return Ok(());
        };
        let pointer = repo.pointer_path(commit).join(&hub.file);
        let io = |e: std::io::Error| Error::io(&pointer, &e);
        if let Some(folder) = pointer.parent() {
            fs::create_dir_all(folder).map_err(io)?;
        }
        let up = "../".repeat(2 + hub.file.matches('/').count());
        put_link(Path::new(&format!("{up}blobs/{etag}")), &pointer).map_err(io)?;
        if revision != commit {
            // The crate writes it in place; a reader must never see half of it.
            if let Some(snapshots) = repo.pointer_path(commit).parent().and_then(Path::parent) {
                file::write(&snapshots.join("refs").join(revision), commit.as_bytes())?;
            }
        }
        sync_folder(&pointer)
    }
}

/// A symbolic link at `at`, in place of what is there; where the system has none, a copy.
fn put_link(to: &Path, at: &Path) -> std::io::Result<()> {
    let temporary = at.with_extension("link.tmp");
    let _ = fs::remove_file(&temporary);
    #[cfg(unix)]
    std::os::unix::fs::symlink(to, &temporary)?;
    #[cfg(not(unix))]
    fs::copy(at.parent().unwrap_or(Path::new(".")).join(to), &temporary)?;
    fs::rename(&temporary, at)
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

/// Whether it can be the name of a file.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !text.is_empty() && !text.starts_with('.') && text.len() < 200 && text.chars().all(plain)
}

fn checksum(etag: &str) -> Option<Checksum> {
    match () {
        () if is_hex(etag, 64) => Some(Checksum::Sha256(etag.to_owned())),
        () if is_hex(etag, 40) => Some(Checksum::GitBlobSha1(etag.to_owned())),
        () => None,
    }
}
