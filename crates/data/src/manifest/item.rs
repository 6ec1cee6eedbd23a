//! The types of a manifest, as the YAML says them.

use std::fmt;

use serde::Deserialize;
use zsad_core::Given;

/// What one item consists of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What a person types: `[a-z0-9_]+`, that of the registered data set where there is one.
    pub name: String,
    /// Data or weights.
    pub kind: Kind,
    /// What people call it.
    pub title: String,
    /// One line: what it is and what zsad uses it for.
    pub description: String,
    /// Where its authors describe it.
    pub homepage: String,
    /// As the authors state it; `none stated` where they do not.
    pub licence: String,
    /// Who disagrees with `licence`.
    #[serde(default)]
    pub licence_note: Option<String>,
    /// Key and short reference.
    pub citation: String,
    /// Of what is served: a date, a version, or the hub's commit.
    pub revision: String,
    /// What stands between a person and the files.
    #[serde(default)]
    pub access: Access,
    /// What a person does where `access` is manual.
    #[serde(default)]
    pub steps: Option<String>,
    /// Registered data sets and backbones that read it.
    #[serde(default)]
    pub used_by: Vec<String>,
    /// Parameters with which the first of `used_by` reads it; empty: as it is.
    #[serde(default)]
    pub params: Given,
    /// What a reader finds when all is there.
    #[serde(default)]
    pub expect: Option<Expect>,
    /// Its files, in the order in which they are fetched.
    pub files: Vec<ManifestFile>,
}

/// What an item is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A data set.
    Data,
    /// Weights of a frozen network.
    Weights,
}

/// What stands between a person and the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Nothing.
    #[default]
    Open,
    /// A licence that has to be accepted first: a click, or non-commercial use.
    AcceptLicence,
    /// A form, a mail, a login: a person fetches the files and gives them to `zsad data add`.
    Manual,
}

/// Counts of what is there when all is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Samples that the data set of this name finds, of all subsets.
    #[serde(default)]
    pub samples: Option<u64>,
    /// Its domains.
    #[serde(default)]
    pub domains: Option<u64>,
}

/// One file as it is served.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Where it lies, relative to the data folder.
    pub path: String,
    /// Where it is served, best first.
    #[serde(default)]
    pub urls: Vec<String>,
    /// Where the hub serves it, at the manifest's `revision`; before `urls`.
    #[serde(default)]
    pub hub: Option<Hub>,
    /// Bytes.
    #[serde(default)]
    pub size: Option<u64>,
    /// Lower-case hex digits, as all of them.
    #[serde(default)]
    sha256: Option<String>,
    #[serde(default)]
    md5: Option<String>,
    #[serde(default)]
    git_blob_sha1: Option<String>,
    #[serde(default)]
    sha256_prefix8: Option<String>,
    /// How far the checksums can be trusted.
    #[serde(default)]
    pub strength: Strength,
    /// The kind of archive that is to be unpacked.
    #[serde(default)]
    unpack: Option<ArchiveKind>,
    /// The folder that an archive's members go to, relative to the data folder.
    #[serde(default)]
    into: Option<String>,
    /// Whether an archive stays after unpacking.
    #[serde(default)]
    pub keep: bool,
    /// Globs of the members that are wanted; empty: all.
    #[serde(default)]
    members: Vec<String>,
    /// Leading parts of a member's path that are left out.
    #[serde(default)]
    strip: u32,
    /// What is there once the archive is unpacked, relative to the data folder: how to know a copy that a person made
    /// without zsad. Empty: the folder `into`.
    #[serde(default)]
    provides: Vec<String>,
}

/// A file on the Hugging Face hub.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hub {
    /// `owner/name`.
    pub repo: String,
    /// Its path in the repository.
    pub file: String,
    /// Of a model or of a data set.
    #[serde(default)]
    pub repo_type: RepoType,
}

/// Kinds of repositories on the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepoType {
    /// Of a model.
    #[default]
    Model,
    /// Of a data set.
    Dataset,
}

/// Where checksums come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// From the publisher, or pinned alike by many.
    Published,
    /// Computed once from one copy.
    ComputedOnce,
    /// Guessed or of one source: a mismatch warns and does not refuse.
    #[default]
    Unconfirmed,
}

/// How a file is known by its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checksum {
    /// 64 hex digits.
    Sha256(String),
    /// 40 hex digits: SHA-1 of `blob `, the length in decimal, a zero byte and the bytes, as git names content.
    GitBlobSha1(String),
    /// 32 hex digits.
    Md5(String),
    /// The first eight hex digits of the SHA-256, as some publishers put them into names.
    Sha256Prefix8(String),
}

impl Checksum {
    /// The hex digits.
    pub fn hex(&self) -> &str {
        match self {
            Checksum::Sha256(hex) | Checksum::GitBlobSha1(hex) | Checksum::Md5(hex) | Checksum::Sha256Prefix8(hex) => {
                hex
            }
        }
    }

    /// The algorithm's name, for people.
    pub fn algorithm(&self) -> &'static str {
        match self {
            Checksum::Sha256(_) | Checksum::Sha256Prefix8(_) => "SHA-256",
            Checksum::GitBlobSha1(_) => "git blob SHA-1",
            Checksum::Md5(_) => "MD5",
        }
    }
}

/// Kinds of archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum ArchiveKind {
    /// PKZIP.
    #[serde(rename = "zip")]
    Zip,
    /// A plain tape archive.
    #[serde(rename = "tar")]
    Tar,
    /// A gzipped one.
    #[serde(rename = "tar.gz")]
    TarGz,
    /// One compressed with xz.
    #[serde(rename = "tar.xz")]
    TarXz,
    /// One compressed with zstd.
    #[serde(rename = "tar.zst")]
    TarZst,
}

impl fmt::Display for ArchiveKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ArchiveKind::Zip => "zip",
            ArchiveKind::Tar => "tar",
            ArchiveKind::TarGz => "tar.gz",
            ArchiveKind::TarXz => "tar.xz",
            ArchiveKind::TarZst => "tar.zst",
        })
    }
}

/// How an archive is unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpack {
    /// What it is; its first bytes must agree.
    pub kind: ArchiveKind,
    /// Globs of the members that are wanted; empty: all.
    pub members: Vec<String>,
    /// Leading parts of a member's path that are left out.
    pub strip: u32,
}

impl ManifestFile {
    /// All checksums that are known, strongest first.
    pub fn checksums(&self) -> Vec<Checksum> {
        let some = [
            self.sha256.clone().map(Checksum::Sha256),
            self.git_blob_sha1.clone().map(Checksum::GitBlobSha1),
            self.md5.clone().map(Checksum::Md5),
            self.sha256_prefix8.clone().map(Checksum::Sha256Prefix8),
        ];
        some.into_iter().flatten().collect()
    }

    /// The SHA-256 in full, where it is known.
    pub fn sha256(&self) -> Option<&str> {
        self.sha256.as_deref()
    }

    /// How it is unpacked and into which folder (relative to the data folder); `None` for a file that is used as it is.
    pub fn unpacking(&self) -> Option<(Unpack, &str)> {
        let unpack = Unpack { kind: self.unpack?, members: self.members.clone(), strip: self.strip };
        Some((unpack, self.into.as_deref()?))
    }

    /// What must be there for the file to be of use, relative to the data folder: itself, or what is unpacked from it.
    pub fn provides(&self) -> Vec<&str> {
        match (&self.into, self.unpack.is_some()) {
            (Some(into), true) if self.provides.is_empty() => vec![into],
            (Some(_), true) => self.provides.iter().map(String::as_str).collect(),
            _ => vec![&self.path],
        }
    }

    /// Its name without folders.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The fields that only make sense together, for the check.
    pub(super) fn archive_fields(&self) -> (Option<ArchiveKind>, Option<&str>, bool) {
        let others = self.keep || self.strip > 0 || !self.members.is_empty() || !self.provides.is_empty();
        (self.unpack, self.into.as_deref(), others)
    }

    /// Every path of it that is relative to the data folder.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        let more = self.provides.iter().map(String::as_str).chain(self.into.as_deref());
        std::iter::once(self.path.as_str()).chain(more)
    }
}
