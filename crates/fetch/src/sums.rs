//! Size and hashes of a file, in one pass over it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use zsad_core::{Error, Result, Stop};
use zsad_data::manifest::Checksum;

/// What a file is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    /// Bytes.
    pub size: u64,
    /// Lower-case hex digits, as all of them.
    pub sha256: String,
    md5: Option<String>,
    git_blob_sha1: Option<String>,
}

/// Reads the file at `path`: its SHA-256, and what else `wanted` needs. `heard` gets the bytes of each step.
///
/// # Errors
/// [`Error::Data`] where it cannot be read, [`Error::Stopped`] where a person wants to end.
pub fn of_file(path: &Path, wanted: &[Checksum], stop: &Stop, heard: &mut dyn FnMut(u64)) -> Result<Sums> {
    let io = |e: std::io::Error| Error::io(path, &e);
    let mut file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let needs = |is: fn(&Checksum) -> bool| wanted.iter().any(is);
    let mut sha256 = Sha256::new();
    let mut md5 = needs(|c| matches!(c, Checksum::Md5(_))).then(Md5::new);
    let mut git = needs(|c| matches!(c, Checksum::GitBlobSha1(_))).then(|| {
        let mut git = Sha1::new();
        git.update(format!("blob {length}\0"));
        git
    });
    let mut buffer = vec![0; 1 << 17];
    let mut size = 0;
    loop {
        stop.check()?;
        let n = file.read(&mut buffer).map_err(io)?;
        if n == 0 {
            break;
        }
        let bytes = &buffer[..n];
        sha256.update(bytes);
        md5.iter_mut().for_each(|m| m.update(bytes));
        git.iter_mut().for_each(|g| g.update(bytes));
        size += n as u64;
        heard(n as u64);
    }
    Ok(Sums {
        size,
        sha256: hex(&sha256.finalize()),
        md5: md5.map(|m| hex(&m.finalize())),
        git_blob_sha1: git.map(|g| hex(&g.finalize())),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

impl Sums {
    /// The digits that answer to `sum`; `None` where they were not asked for.
    pub fn found(&self, sum: &Checksum) -> Option<&str> {
        match sum {
            Checksum::Sha256(_) => Some(&self.sha256),
            Checksum::Sha256Prefix8(_) => Some(&self.sha256[..8]),
            Checksum::Md5(_) => self.md5.as_deref(),
            Checksum::GitBlobSha1(_) => self.git_blob_sha1.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_those_of_the_usual_tools() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "zsad\n").unwrap();
        let zero = |n| "0".repeat(n);
        let wanted = [Checksum::Md5(zero(32)), Checksum::GitBlobSha1(zero(40)), Checksum::Sha256(zero(64))];
        let mut heard = 0;
        let sums = of_file(&path, &wanted, &Stop::default(), &mut |n| heard += n).unwrap();
        // printf 'zsad\n' | sha256sum, md5sum, git hash-object --stdin
        assert_eq!(sums.found(&wanted[2]), Some("d1b5f157e01ef06d89d84bbdc3748acd9c7a03f84075c4e7af7f8c94e713e102"));
        assert_eq!(sums.found(&wanted[0]), Some("984e14eae1a5bd7c8de74460fd8edb4f"));
        assert_eq!(sums.found(&wanted[1]), Some("8f6827cf2aaf47d4064e7cabfdce150a173e8790"));
        assert_eq!((sums.size, heard), (5, 5));
        let plain = of_file(&path, &[], &Stop::default(), &mut |_| ()).unwrap();
        assert_eq!((plain.found(&wanted[0]), plain.found(&Checksum::Sha256Prefix8(zero(8)))), (None, Some("d1b5f157")));
    }
}
