//! Things to fetch: manifests of a test's own.

use std::io::{Cursor, Write};
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::{Done, Sandbox};

/// Bytes that look like nothing in particular: `n` of them, others for another `seed`.
pub fn bytes(n: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..n).map(step).collect()
}

/// SHA-256 in hex digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// A manifest `own` of one file, `own/a.bin`, whose further fields are `fields`, a line each.
pub fn own(fields: &[String]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| format!("    {field}\n")).collect();
    format!("{HEAD}files:\n  - path: own/a.bin\n{}", fields.concat())
}

/// The head of it.
pub const HEAD: &str = "name: own\nkind: data\ntitle: Own\ndescription: a test's own\nhomepage: none\nlicence: MIT\n\
                        citation: none\nrevision: main\n";

/// The fields that say where a file is served and how to know it.
pub fn served(urls: &[String], body: &[u8]) -> Vec<String> {
    let urls: Vec<String> = urls.iter().map(|url| format!("\"{url}\"")).collect();
    let sum = format!("sha256: {}", sha256(body));
    vec![format!("urls: [{}]", urls.join(", ")), format!("size: {}", body.len()), sum, "strength: published".into()]
}

/// A zip of these members.
pub fn packed(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).expect("memory takes it");
        zip.write_all(bytes).expect("memory takes it");
    }
    zip.finish().expect("memory takes it").into_inner()
}

/// The manifest of a zip that is unpacked into `own/in`.
pub fn archive(url: String, zip: &[u8], more: &str) -> String {
    let sum = sha256(zip);
    format!(
        "{HEAD}files:\n  - {{path: own/a.zip, urls: [\"{url}\"], size: {}, sha256: {sum}, strength: published, \
         unpack: zip, into: own/in, provides: [own/in/red, own/in/blue]{more}}}\n",
        zip.len()
    )
}

impl Sandbox {
    /// Writes the manifest, and fetches what it names into `data`, without waiting between tries unless `more` says so.
    pub fn fetch(&self, manifest: &str, more: &[&str]) -> Done {
        self.write("own.yaml", manifest);
        let wait: &[&str] = if more.contains(&"--retry-wait") { &[] } else { &["--retry-wait", "0s"] };
        self.run(&[&["data", "fetch", "own", "--manifest", "own.yaml", "--data", "data"], wait, more].concat())
    }

    /// Another subcommand of `zsad data` about it.
    pub fn data(&self, command: &str, more: &[&str]) -> Done {
        self.run(&[&["data", command, "own", "--manifest", "own.yaml", "--data", "data"], more].concat())
    }

    /// Where its file goes.
    pub fn own_file(&self) -> PathBuf {
        self.path("data/own/a.bin")
    }

    /// The names in the folder of its file, sorted.
    pub fn own_folder(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path("data/own")).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}
