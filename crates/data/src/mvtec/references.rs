//! References that a person has listed, as papers publish their few-shot samples.

use std::path::{Path, PathBuf};

use zsad_core::{DataDir, Error, Result, SampleRef, Subset};

use super::Pictures;
use super::layout::Category;

/// The file that `pictures` names, if it names one.
pub fn path(pictures: &Pictures, data: &DataDir) -> Option<PathBuf> {
    (!pictures.references.is_empty()).then(|| data.path.join(&pictures.references))
}

/// The references of each category, in the order of the list: pictures of its reference pool, or of its normal ones. Empty
/// lines and those that begin with `#` say nothing.
///
/// # Errors
/// [`Error::Data`] with the line that names no normal picture, more than one, or one that was there before.
pub fn read(path: &Path, categories: &[Category]) -> Result<Vec<Vec<SampleRef>>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, &e))?;
    let mut references = vec![Vec::new(); categories.len()];
    let lines = text.lines().map(str::trim).enumerate();
    for (i, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let at = |what: &str, hint: &str| Error::data(path, format!("line {}: `{line}` {what}", i + 1), hint);
        let mut found = Vec::new();
        for (domain, category) in categories.iter().enumerate() {
            for (subset, pictures) in [(Subset::Reference, &category.reference), (Subset::Normal, &category.normal)] {
                let here = pictures.iter().enumerate().filter(|(_, picture)| picture.ends_with(line));
                found.extend(here.map(|(index, _)| SampleRef { domain: domain as u32, subset, index: index as u32 }));
            }
        }
        let sample = match found[..] {
            [sample] => sample,
            [] => return Err(at("is no normal picture of these categories", "bottle/train/good/000.png, for one")),
            _ => return Err(at("is the end of several pictures' paths", "begin with the category")),
        };
        let listed: &mut Vec<SampleRef> = &mut references[sample.domain as usize];
        if listed.contains(&sample) {
            return Err(at("was listed before", ""));
        }
        listed.push(sample);
    }
    Ok(references)
}
