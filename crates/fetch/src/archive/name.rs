//! Names of members, as paths that stay in a folder on every system.

use std::path::PathBuf;

/// Longest name and longest part of one, in bytes: what common file systems hold.
const LONGEST: usize = 1024;
const LONGEST_PART: usize = 255;

/// The parts of a member's name without `.` and empty ones.
///
/// # Errors
/// Why it is refused: absolute, upwards, with a drive or backslashes, too long, or no text.
pub fn parts(name: &[u8]) -> Result<Vec<&str>, String> {
    if name.len() > LONGEST {
        return Err(format!("its name is {} bytes long, more than {LONGEST}", name.len()));
    }
    let name = std::str::from_utf8(name).map_err(|_| "its name is not UTF-8".to_owned())?;
    if name.starts_with('/') {
        return Err("its path is absolute".into());
    }
    if name.contains(['\\', ':']) {
        return Err("its name holds a backslash or a colon, which are no plain path everywhere".into());
    }
    if name.chars().any(char::is_control) {
        return Err("its name holds control characters".into());
    }
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err("its path leads out of the folder".into());
    }
    if let Some(long) = parts.iter().find(|part| part.len() > LONGEST_PART) {
        return Err(format!("a part of its name is {} bytes long, more than {LONGEST_PART}", long.len()));
    }
    Ok(parts)
}

/// The path without its first `strip` parts; `None` where nothing is left.
pub fn stripped(parts: &[&str], strip: u32) -> Option<PathBuf> {
    let rest = parts.get(strip as usize..).filter(|rest| !rest.is_empty())?;
    Some(rest.iter().collect())
}

/// How a name is shown: not more of it than a line holds.
pub fn shown(name: &[u8]) -> String {
    let short = &name[..name.len().min(80)];
    format!("{}{}", short.escape_ascii(), if short.len() < name.len() { "…" } else { "" })
}
