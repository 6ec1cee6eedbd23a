//! What `zsad score` writes.

use std::path::Path;

use zsad_core::{Result, file};

/// Writes `index,score`, each score as the shortest text that reads back exactly, and where samples have names `file`.
///
/// # Errors
/// Where the file cannot be written.
pub fn write(path: &Path, scores: &[f64], files: Option<&[String]>) -> Result<()> {
    let mut text = String::from(if files.is_some() { "index,score,file\n" } else { "index,score\n" });
    for (i, score) in scores.iter().enumerate() {
        let name = files.map_or(String::new(), |files| format!(",{}", field(&files[i])));
        text += &format!("{i},{score:?}{name}\n");
    }
    file::write(path, text.as_bytes())
}

/// A text as a field of CSV.
fn field(text: &str) -> String {
    let plain = !text.contains([',', '"', '\n', '\r']);
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_commas_and_quotes_are_quoted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("y.csv");
        let names = ["a.png", "b, \"c\".png"].map(str::to_owned);
        write(&path, &[0.1, 2.0], Some(&names)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "index,score,file\n0,0.1,a.png\n1,2.0,\"b, \"\"c\"\".png\"\n");
        write(&path, &[0.5], None).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "index,score\n0,0.5\n");
    }
}
