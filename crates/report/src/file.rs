//! Files that are whole or not there: written to a temporary name, synced, renamed.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use zsad_core::{Error, Result};

/// Writes `bytes` to `path`, creating its folder; a reader sees the old file or the new one, never a part.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let io = |e: std::io::Error| Error::io(path, &e);
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(io)?;
    let name = path.file_name().ok_or_else(|| Error::data(path, "not a file name", ""))?;
    // The process id keeps two writers of the same file apart.
    let temporary = folder.join(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id()));
    let written = (|| {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(io)
}
