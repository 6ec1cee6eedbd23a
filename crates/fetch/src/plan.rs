//! What other tools need to fetch an item: for machines that reach the network only by them.

use std::fmt::Write as _;
use std::path::Path;

use zsad_data::manifest::{Checksum, Manifest, ManifestFile};

use crate::{HubSettings, human};

/// For whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// A person: a table.
    List,
    /// A shell: lines of curl.
    Curl,
    /// aria2: an input file with checksums (`aria2c -i FILE`).
    Aria2,
}

/// Where a file is served, best first.
pub fn urls(hub: &HubSettings, manifest: &Manifest, file: &ManifestFile) -> Vec<String> {
    let first = file.hub.as_ref().map(|h| hub.url(h, &manifest.revision));
    first.into_iter().chain(file.urls.iter().cloned()).collect()
}

/// The plan of some files of an item, to be put below `data`.
pub fn plan(data: &Path, hub: &HubSettings, manifest: &Manifest, files: &[&ManifestFile], whom: For) -> String {
    let mut text = String::new();
    for file in files {
        let (urls, at) = (urls(hub, manifest, file), data.join(&file.path));
        // Writing to a string does not fail.
        let _ = match whom {
            For::List => {
                let size = file.size.map_or("size unknown".into(), human);
                let sums: Vec<_> = file.checksums().iter().map(|c| format!("{} {}", c.algorithm(), c.hex())).collect();
                let sums = if sums.is_empty() { "no checksum known".into() } else { sums.join(", ") };
                writeln!(text, "{}\n  {size}; {sums}\n  {}", file.path, urls.join("\n  "))
            }
            For::Curl => match urls.first() {
                Some(url) => {
                    let (at, url) = (quoted(&at.to_string_lossy()), quoted(url));
                    writeln!(text, "curl -C - --fail -L --create-dirs -o {at} {url}")
                }
                None => writeln!(text, "# {}: to be fetched by a person", file.path),
            },
            For::Aria2 if urls.is_empty() => Ok(()),
            For::Aria2 => {
                let sum =
                    file.checksums().iter().find_map(aria2).map_or(String::new(), |s| format!("  checksum={s}\n"));
                write!(
                    text,
                    "{}\n  dir={}\n  out={}\n{sum}  continue=true\n",
                    urls.join("\t"),
                    data.display(),
                    file.path
                )
            }
        };
    }
    text
}

/// A checksum as aria2 takes it, where it does.
fn aria2(sum: &Checksum) -> Option<String> {
    match sum {
        Checksum::Sha256(hex) => Some(format!("sha-256={hex}")),
        Checksum::Md5(hex) => Some(format!("md5={hex}")),
        Checksum::GitBlobSha1(_) | Checksum::Sha256Prefix8(_) => None,
    }
}

/// A word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
