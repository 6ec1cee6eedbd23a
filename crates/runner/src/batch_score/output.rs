//! The table of scores: `index,score`, then what goes with each sample.

use std::fmt::Write;
use std::path::Path;

use zsad_core::{Error, Result, file};

use super::split::Part;
use crate::csv::quoted;

/// A column: its name, and a field for every sample.
pub type Column = (String, Vec<String>);

/// Endings that promise another format.
const OTHER: [&str; 6] = ["npz", "npy", "parquet", "json", "xlsx", "txt"];

/// Refuses a name that promises another format.
///
/// # Errors
/// [`Error::Config`] that says which format is written.
pub fn check(path: &Path) -> Result<()> {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_lowercase).unwrap_or_default();
    if OTHER.contains(&extension.as_str()) {
        let hint = format!("--out {}", path.with_extension("csv").display());
        return Err(Error::Config(format!("{}: scores are written as CSV; hint: {hint}", path.display())));
    }
    Ok(())
}

/// Writes one line a sample, in input order, each number as the shortest text that reads back exactly; what has no score
/// has empty fields. After `index` and `score` come the carried columns, then those that were `added` to the scores, and last
/// the number of the batch where there are several.
///
/// # Errors
/// Where the file cannot be written.
pub fn write(path: &Path, scores: &[Option<f64>], carried: &[Column], added: &[Column], parts: &[Part]) -> Result<()> {
    let mut header = "index,score".to_owned();
    carried.iter().chain(added).for_each(|(name, _)| header.extend([",", &quoted(name)]));
    let several = parts.len() > 1;
    if several {
        header += ",batch";
    }
    let mut batch = vec![0; scores.len()];
    for (number, part) in parts.iter().enumerate() {
        part.rows.iter().for_each(|&row| batch[row] = number);
    }
    let mut text = header + "\n";
    for (row, score) in scores.iter().enumerate() {
        // Writing to a text does not fail.
        let _ = match score {
            Some(score) => write!(text, "{row},{score:?}"),
            None => write!(text, "{row},"),
        };
        carried.iter().for_each(|(_, values)| text.extend([",", &quoted(&values[row])]));
        for (_, values) in added {
            let known = score.is_some().then(|| values[row].as_str());
            text.extend([",", known.unwrap_or_default()]);
        }
        if several {
            let _ = write!(text, ",{}", batch[row]);
        }
        text.push('\n');
    }
    file::write(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_in_their_fixed_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.csv");
        let parts = [vec![0, 2], vec![1]].map(|rows| Part { group: None, rows });
        let carried = [("id, of a part".to_owned(), ["a", "b\"c", "d"].map(String::from).to_vec())];
        let column = |name: &str, fields: [&str; 3]| (name.to_owned(), fields.map(String::from).to_vec());
        let added = [column("flag", ["1", "0", "0"]), column("p_value", ["0.05", "0.1", "1.0"])];
        write(&path, &[Some(0.1), Some(2.0), Some(1e-7)], &carried, &added, &parts).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let wanted = "index,score,\"id, of a part\",flag,p_value,batch\n0,0.1,a,1,0.05,0\n1,2.0,\"b\"\"c\",0,0.1,1\n\
                      2,1e-7,d,0,1.0,0\n";
        assert_eq!(text, wanted);
        write(&path, &[Some(0.1)], &[], &[], &[Part { group: None, rows: vec![0] }]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "index,score\n0,0.1\n");
    }

    #[test]
    fn a_name_of_another_format_is_refused() {
        let message = check(Path::new("a/o.npz")).unwrap_err().to_string();
        assert_eq!(message, "a/o.npz: scores are written as CSV; hint: --out a/o.csv");
        assert!(check(Path::new("a/o.csv")).is_ok() && check(Path::new("o")).is_ok());
    }
}
