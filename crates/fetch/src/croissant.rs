//! A manifest as Croissant 1.0 metadata (JSON-LD, <http://mlcommons.org/croissant/1.0>): what catalogues of data sets read.

use serde_json::{Map, Value, json};
use zsad_data::manifest::{ArchiveKind, Checksum, Manifest, ManifestFile};

use crate::HubSettings;
use crate::plan::urls;

/// The metadata of `manifest`: its files as they are served, and sets of what is unpacked from archives. Where a file has
/// no checksum in full, the data set is said to be live: it may change under its address.
pub fn describe(manifest: &Manifest, hub: &HubSettings) -> Value {
    let (mut distribution, mut live) = (Vec::new(), false);
    for file in &manifest.files {
        let url = urls(hub, manifest, file).into_iter().next().unwrap_or_else(|| manifest.homepage.clone());
        let mut object = json!({
            "@type": "cr:FileObject",
            "@id": file.path,
            "name": file.file_name(),
            "contentUrl": url,
            "encodingFormat": encoding(file),
        });
        let mut known = false;
        for sum in file.checksums() {
            let key = match sum {
                Checksum::Sha256(_) => "sha256",
                Checksum::Md5(_) => "md5",
                // Croissant has no words for these.
                Checksum::GitBlobSha1(_) | Checksum::Sha256Prefix8(_) => continue,
            };
            object[key] = sum.hex().into();
            known = true;
        }
        live |= !known;
        if let Some(size) = file.size {
            object["contentSize"] = format!("{size} B").into();
        }
        distribution.push(object);
        distribution.extend(unpacked(file));
    }
    let mut whole = json!({
        "@context": context(),
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": manifest.name,
        "alternateName": manifest.title,
        "description": manifest.description,
        "url": manifest.homepage,
        "license": manifest.licence,
        "citeAs": manifest.citation,
        "version": manifest.revision,
        "distribution": distribution,
    });
    if live {
        whole["isLiveDataset"] = true.into();
    }
    whole
}

/// The members that are unpacked from an archive.
fn unpacked(file: &ManifestFile) -> Option<Value> {
    let (unpack, into) = file.unpacking()?;
    let includes = if unpack.members.is_empty() { json!("*") } else { json!(unpack.members) };
    Some(json!({
        "@type": "cr:FileSet",
        "@id": format!("{}-members", file.path),
        "name": format!("{into}: members of {}", file.file_name()),
        "containedIn": {"@id": file.path},
        "encodingFormat": "application/octet-stream",
        "includes": includes,
    }))
}

fn encoding(file: &ManifestFile) -> &'static str {
    match file.unpacking().map(|(unpack, _)| unpack.kind) {
        Some(ArchiveKind::Zip) => return "application/zip",
        Some(ArchiveKind::Tar) => return "application/x-tar",
        Some(ArchiveKind::TarGz) => return "application/gzip",
        Some(ArchiveKind::TarXz) => return "application/x-xz",
        Some(ArchiveKind::TarZst) => return "application/zstd",
        None => {}
    }
    match file.file_name().rsplit('.').next() {
        Some("gz") => "application/gzip",
        Some("zip") => "application/zip",
        Some("csv") => "text/csv",
        Some("txt") => "text/plain",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

/// The context that the specification gives.
fn context() -> Value {
    let croissant = "citeAs column data dataType equivalentProperty examples extract field fileProperty fileObject \
                     fileSet format includes isLiveDataset jsonPath key md5 parentField path recordSet references \
                     regex repeated replace samplingRate separator source subField transform";
    let mut context: Map<String, Value> =
        croissant.split_whitespace().map(|w| (w.into(), format!("cr:{w}").into())).collect();
    let others = [
        ("@language", json!("en")),
        ("@vocab", json!("https://schema.org/")),
        ("sc", json!("https://schema.org/")),
        ("cr", json!("http://mlcommons.org/croissant/")),
        ("rai", json!("http://mlcommons.org/croissant/RAI/")),
        ("dct", json!("http://purl.org/dc/terms/")),
        ("conformsTo", json!("dct:conformsTo")),
        ("data", json!({"@id": "cr:data", "@type": "@json"})),
        ("dataType", json!({"@id": "cr:dataType", "@type": "@vocab"})),
        ("examples", json!({"@id": "cr:examples", "@type": "@json"})),
    ];
    context.extend(others.map(|(key, value)| (key.to_owned(), value)));
    Value::Object(context)
}
