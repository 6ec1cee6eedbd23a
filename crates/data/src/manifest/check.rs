//! What the types of a manifest cannot say.

use std::collections::BTreeSet;

use super::item::{Access, Checksum, Manifest, ManifestFile};

/// Refuses a manifest that cannot be meant.
///
/// # Errors
/// What is wrong, and where.
pub(super) fn check(manifest: &Manifest) -> Result<(), String> {
    let name = &manifest.name;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        return Err(format!("name: `{name}`: want lower-case letters, digits and _"));
    }
    let texts = [
        ("title", &manifest.title),
        ("description", &manifest.description),
        ("homepage", &manifest.homepage),
        ("licence", &manifest.licence),
        ("citation", &manifest.citation),
        ("revision", &manifest.revision),
    ];
    if let Some((field, _)) = texts.iter().find(|(_, text)| text.trim().is_empty()) {
        return Err(format!("{field}: is empty"));
    }
    if (manifest.access == Access::Manual) != manifest.steps.is_some() {
        return Err("steps: are for `access: manual`, which needs them".into());
    }
    if manifest.files.is_empty() {
        return Err("files: there are none".into());
    }
    let mut seen = BTreeSet::new();
    for file in &manifest.files {
        let at = |why: String| format!("files: `{}`: {why}", file.path);
        check_file(file, manifest.access).map_err(at)?;
        if !seen.insert(file.path.to_lowercase()) {
            return Err(at("is there twice".into()));
        }
    }
    Ok(())
}

fn check_file(file: &ManifestFile, access: Access) -> Result<(), String> {
    file.paths().try_for_each(inside)?;
    match file.archive_fields() {
        (Some(_), None, _) => return Err("into: `unpack` needs the folder".into()),
        (None, Some(_), _) | (None, _, true) => {
            return Err("into, keep, members, strip and provides are for `unpack`".into());
        }
        _ => {}
    }
    let served = file.hub.is_some() || !file.urls.is_empty();
    if !served && access != Access::Manual {
        return Err("urls: there is none, and no `hub`".into());
    }
    if let Some(url) = file.urls.iter().find(|u| !["https://", "http://"].iter().any(|s| u.starts_with(s))) {
        return Err(format!("urls: `{url}`: want https:// or http://"));
    }
    if let Some(hub) = &file.hub {
        if hub.repo.split('/').filter(|part| is_plain(part)).count() != 2 || hub.repo.split('/').count() != 2 {
            return Err(format!("hub: repo: `{}`: want owner/name", hub.repo));
        }
        inside(&hub.file)?;
    }
    file.checksums().iter().try_for_each(hex)
}

fn is_plain(part: &str) -> bool {
    !part.is_empty() && part != "." && part != ".."
}

/// A path that stays in the data folder on every system.
fn inside(path: &str) -> Result<(), String> {
    let odd = |c: char| c.is_control() || "\\:*?\"<>|".contains(c);
    if path.chars().any(odd) || !path.split('/').all(is_plain) {
        return Err(format!("`{path}`: want a path inside the data folder, with / and without . and .."));
    }
    Ok(())
}

fn hex(sum: &Checksum) -> Result<(), String> {
    let (field, digits) = match sum {
        Checksum::Sha256(_) => ("sha256", 64),
        Checksum::GitBlobSha1(_) => ("git_blob_sha1", 40),
        Checksum::Md5(_) => ("md5", 32),
        Checksum::Sha256Prefix8(_) => ("sha256_prefix8", 8),
    };
    let lower = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if sum.hex().len() != digits || !sum.hex().chars().all(lower) {
        return Err(format!("{field}: `{}`: want {digits} lower-case hex digits", sum.hex()));
    }
    Ok(())
}
