//! What the tests of the data sets share.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use zsad_core::{DataDir, DataFile, Dataset, DatasetDef, ReadBy, Result, SampleRef, Source, Subset, digest};

/// `def` with the parameters `given`.
pub fn configured(def: &DatasetDef, given: Value) -> Result<Arc<Source>> {
    let given = serde_json::from_value(given).expect("an object of parameters");
    def.configure(&given).map_err(|problems| zsad_core::Error::Config(problems[0].message.clone()))
}

/// Opens `def` with the parameters `given`, its files under `dir`.
pub fn open(def: &DatasetDef, given: Value, dir: &Path) -> Result<Arc<dyn Dataset>> {
    configured(def, given)?.open(&DataDir { path: dir.to_owned(), chosen_by: "--data" })
}

/// Name and reader of every file that `def` reads with the parameters `given`.
pub fn files(def: &DatasetDef, given: Value, dir: &Path) -> Vec<(String, ReadBy)> {
    let files = configured(def, given).and_then(|s| s.files(&DataDir { path: dir.to_owned(), chosen_by: "--data" }));
    let name = |f: DataFile| (f.path.file_name().expect("a file").to_string_lossy().into_owned(), f.read_by);
    files.expect("the files are there").into_iter().map(name).collect()
}

/// Every sample of one subset of a domain.
pub fn subset(set: &dyn Dataset, domain: usize, subset: Subset) -> Vec<SampleRef> {
    SampleRef::all(domain, subset, set.info().domains[domain].size(subset)).collect()
}

/// Every normal sample of every domain.
pub fn all_normals(set: &dyn Dataset) -> Vec<SampleRef> {
    (0..set.info().domains.len()).flat_map(|d| subset(set, d, Subset::Normal)).collect()
}

/// Everything that can be read of `def`: what is known of it, and all its samples and masks.
fn contents(def: &DatasetDef, given: &Value, dir: &Path) -> Result<String> {
    let set = open(def, given.clone(), dir)?;
    let mut all = format!("{:?}", set.info());
    for domain in 0..set.info().domains.len() {
        for part in Subset::ALL {
            let refs = subset(&*set, domain, part);
            if !refs.is_empty() {
                let values = set.gather(&refs)?.to_f64().iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
                all += &digest::of_bytes(&values);
                all += &set.masks(&refs)?.map_or(String::new(), |m| digest::of_bytes(&m.values));
            }
        }
    }
    Ok(all)
}

/// Checks that `def` names every file in `dir` that its samples depend on: keys hold the digests of those alone.
pub fn knows_its_files(def: &DatasetDef, given: Value, dir: &Path) {
    let data = DataDir { path: dir.to_owned(), chosen_by: "--data" };
    let files = configured(def, given.clone()).and_then(|s| s.files(&data)).expect("the files are there");
    let named: BTreeSet<PathBuf> = files.into_iter().map(|f| f.path).collect();
    assert!(!named.is_empty() && named.iter().all(|path| path.is_file()), "{named:?}");
    let before = contents(def, &given, dir).expect("a readable data set");
    let mut mattered = 0;
    for path in all_files(dir) {
        let whole = std::fs::read(&path).expect("a readable file");
        std::fs::write(&path, &whole[..whole.len() / 2]).expect("a writable folder");
        let matters = contents(def, &given, dir).ok().is_none_or(|after| after != before);
        std::fs::write(&path, &whole).expect("a writable folder");
        assert!(!matters || named.contains(&path), "{} is read and not named", path.display());
        mattered += usize::from(matters);
    }
    assert!(mattered > 0);
}

fn all_files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a readable folder").flatten().map(|e| e.path());
    entries.flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] }).collect()
}

/// Writes a picture of one colour, in the format of its name, with its folders.
pub fn save_plain(path: &Path, (width, height): (u32, u32), colour: u8) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a writable folder");
    image::GrayImage::from_pixel(width, height, image::Luma([colour])).save(path).expect("a writable folder");
}

/// Writes a black picture with a white pixel at (column, row): a mask of a defect.
pub fn save_mask(path: &Path, (width, height): (u32, u32), white: (u32, u32), value: u8) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a writable folder");
    let mut mask = image::GrayImage::new(width, height);
    mask.put_pixel(white.0, white.1, image::Luma([value]));
    mask.save(path).expect("a writable folder");
}

/// Name and numbers of references, normals and anomalies of every domain.
pub fn sizes(set: &dyn Dataset) -> Vec<(String, usize, usize, usize)> {
    set.info().domains.iter().map(|d| (d.name.clone(), d.reference, d.normal, d.anomalous)).collect()
}
