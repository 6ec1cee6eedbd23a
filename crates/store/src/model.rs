//! Trained models on disk: named arrays as safetensors, with what they belong to in the header.
//!
//! The header's one metadata entry, `zsad`, is canonical JSON: format version, method and its version, parameters,
//! network, what training learnt of a table's columns or how pictures were made into samples, and a BLAKE3 digest of all
//! arrays, so equal states make equal files and a flipped bit is found. Numbers of the preprocessing are arrays as well, with
//! `preprocessing.` before their names. Earlier versions kept pictures in a second entry, `zsad_pictures`; the order of two
//! entries is not fixed, so that equal models made files of two kinds.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zsad_core::key::canonical_json;
use zsad_core::state::digest;
use zsad_core::{Array, Arrays, Error, PictureGeometry, Preprocessing, Result, State, Values, file};

/// Version of the header's layout without and with preprocessing; readers refuse any other.
pub const FORMAT_VERSIONS: [u32; 2] = [1, 2];

/// Before the names of the preprocessing's arrays.
const PREPROCESSING: &str = "preprocessing.";

const HEADER_KEY: &str = "zsad";
const PICTURES_KEY: &str = "zsad_pictures";
const RETRAIN: &str = "delete it and run again: the fit is then trained anew";

/// A trained model and what it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The method's registry name.
    pub method: String,
    /// Its version.
    pub version: u32,
    /// The parameters that it was trained with, complete.
    pub params: Value,
    /// What it learned.
    pub state: State,
    /// What its training learnt of a table's columns; `None` for pictures, and in files of versions that did not keep it.
    pub preprocessing: Option<Preprocessing>,
    /// How the pictures that it was trained on became samples; `None` for other data, and in files of versions that did
    /// not say.
    pub pictures: Option<PictureGeometry>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    format_version: u32,
    method: String,
    method_version: u32,
    params: Value,
    network: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preprocessing: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pictures: Option<PictureGeometry>,
    digest: String,
}

/// Writes `model` to `path`, whole or not at all.
///
/// # Errors
/// Where the folder cannot be written.
pub fn save(path: &Path, model: &Model) -> Result<()> {
    let (words, numbers) = model.preprocessing.as_ref().map(Preprocessing::to_parts).unzip();
    let named = |(name, array): (String, Array)| (format!("{PREPROCESSING}{name}"), array);
    let mut arrays = model.state.arrays.clone();
    arrays.extend(numbers.unwrap_or_default().into_iter().map(named));
    let header = Header {
        format_version: FORMAT_VERSIONS[usize::from(words.is_some())],
        method: model.method.clone(),
        method_version: model.version,
        params: model.params.clone(),
        network: model.state.network.clone(),
        preprocessing: words,
        pictures: model.pictures.clone(),
        digest: digest(&arrays),
    };
    let header = serde_json::to_value(header).map_err(|e| Error::data(path, e, ""))?;
    let metadata = HashMap::from([(HEADER_KEY.to_owned(), canonical_json(&header))]);
    let bytes: Vec<Vec<u8>> = arrays.values().map(Array::to_le_bytes).collect();
    let views = arrays.iter().zip(&bytes).map(|((name, array), bytes)| {
        let dtype = if array.as_f32().is_some() { Dtype::F32 } else { Dtype::F64 };
        let view = TensorView::new(dtype, array.shape().to_vec(), bytes).map_err(|e| Error::data(path, e, ""))?;
        Ok((name, view))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    let file = safetensors::serialize(views, Some(metadata)).map_err(|e| Error::data(path, e, ""))?;
    file::write(path, &file)
}

/// Reads and checks a file that [`save`] wrote.
///
/// # Errors
/// [`Error::Data`] where it is missing, truncated, altered, or of another format version.
pub fn load(path: &Path) -> Result<Model> {
    let file = fs::read(path).map_err(|e| Error::io(path, &e))?;
    let damaged = |what: String| Error::data(path, what, RETRAIN);
    let unreadable = |e| damaged(format!("not a readable safetensors file: {e}"));
    let (_, metadata) = SafeTensors::read_metadata(&file).map_err(unreadable)?;
    let Some(text) = metadata.metadata().as_ref().and_then(|m| m.get(HEADER_KEY)) else {
        let what = format!("its header has no `{HEADER_KEY}` entry, so zsad did not write it");
        return Err(Error::data(path, what, "give a model that `zsad run` has stored"));
    };
    let pictures = metadata.metadata().as_ref().and_then(|m| m.get(PICTURES_KEY));
    let pictures = pictures.map(|text| serde_json::from_str(text)).transpose();
    let pictures = pictures.map_err(|e| damaged(format!("its `{PICTURES_KEY}` entry is damaged: {e}")))?;
    let header: Value = serde_json::from_str(text).map_err(|e| damaged(format!("its header is damaged: {e}")))?;
    let version = header.get("format_version").and_then(Value::as_u64);
    if !FORMAT_VERSIONS.iter().any(|&known| version == Some(known.into())) {
        let version = version.map_or("unknown".into(), |v| v.to_string());
        let [oldest, newest] = FORMAT_VERSIONS;
        let what = format!("checkpoint format {version}, and this program reads formats {oldest} to {newest}");
        return Err(Error::data(path, what, "use the version of zsad that wrote it, or train again"));
    }
    let header: Header = serde_json::from_value(header).map_err(|e| damaged(format!("its header is damaged: {e}")))?;
    let mut arrays = Arrays::new();
    for (name, view) in SafeTensors::deserialize(&file).map_err(unreadable)?.tensors() {
        let values = match view.dtype() {
            Dtype::F32 => Values::F32(view.data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()),
            Dtype::F64 => Values::F64(view.data().as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect()),
            other => return Err(damaged(format!("tensor `{name}` is of the type {other:?}"))),
        };
        arrays.insert(name, Array::new(view.shape().to_vec(), values));
    }
    if digest(&arrays) != header.digest {
        return Err(damaged("its tensors do not have the digest that its header states".into()));
    }
    let mut numbers = Arrays::new();
    if header.preprocessing.is_some() {
        let (theirs, own): (Arrays, Arrays) = arrays.into_iter().partition(|(name, _)| name.starts_with(PREPROCESSING));
        numbers = theirs.into_iter().map(|(name, array)| (name[PREPROCESSING.len()..].to_owned(), array)).collect();
        arrays = own;
    }
    let preprocessing = header.preprocessing.map(|words| Preprocessing::from_parts(&words, &numbers));
    let preprocessing = preprocessing.transpose().map_err(|e| damaged(e.to_string()))?;
    let state = State { network: header.network, arrays };
    let (method, version, params) = (header.method, header.method_version, header.params);
    let pictures = header.pictures.or(pictures);
    Ok(Model { method, version, params, state, preprocessing, pictures })
}

impl Model {
    /// Refuses the model of another method or of another version of it.
    ///
    /// # Errors
    /// [`Error::Data`], naming both.
    pub fn expect_method(&self, path: &Path, method: &str, version: u32) -> Result<()> {
        if self.method == method && self.version == version {
            return Ok(());
        }
        let what = format!("trained by {}@{}, wanted {method}@{version}", self.method, self.version);
        Err(Error::data(path, what, "name the method that trained it, or train again"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use zsad_core::{Layout, Moments, Scaling};

    fn sample() -> Model {
        let weight = Array::single(vec![2, 3], vec![1.0, -2.5, f32::MIN_POSITIVE, 0.1, 1e30, -0.0]);
        let pool = Array::new(vec![2], Values::F64(vec![0.1, 3.0]));
        let arrays = Arrays::from([("net.weight".into(), weight), ("pool".into(), pool)]);
        let state = State { network: json!({"mlp": [3, 2]}), arrays };
        let params = json!({"steps": 10, "lr": 4e-4});
        Model { method: "acr_dsvdd".into(), version: 2, params, state, preprocessing: None, pictures: None }
    }

    fn with_preprocessing() -> Model {
        let layout = Layout { numeric: vec!["x".into(), "y".into()], medians: vec![0.1, -0.0], ..Layout::default() };
        let pool = Moments { mean: vec![1.0 / 3.0, 1e300], sd: vec![0.1, 1.0] };
        let scaling = Scaling::Rank(vec![vec![0.1, 0.3], vec![-2.0, 5e-324]]);
        Model { preprocessing: Some(Preprocessing { layout: Some(layout), scaling, pool: Some(pool) }), ..sample() }
    }

    #[test]
    fn what_training_learnt_of_the_columns_is_kept_to_the_bit_and_stays_out_of_the_state() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        let model = with_preprocessing();
        save(&path, &model).unwrap();
        let read = load(&path).unwrap();
        assert_eq!(read, model);
        assert_eq!(
            digest(&read.state.arrays),
            digest(&sample().state.arrays),
            "fit.json's digest is the state's alone"
        );
        let good = fs::read(&path).unwrap();
        for at in good.len() - 120..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            fs::write(&path, &bad).unwrap();
            assert!(load(&path).unwrap_err().to_string().contains("digest"));
        }
    }

    #[test]
    fn round_trip_is_exact_and_equal_states_make_equal_files() {
        let dir = tempfile::tempdir().unwrap();
        let model = sample();
        let (a, b) = (dir.path().join("deep/er/a.safetensors"), dir.path().join("b.safetensors"));
        save(&a, &model).unwrap();
        save(&b, &model).unwrap();
        assert_eq!(load(&a).unwrap(), model);
        assert_eq!(fs::read(&a).unwrap(), fs::read(&b).unwrap());
        let of_pictures = Model { pictures: Some(PictureGeometry::stretched(3, 32, 32)), ..model };
        save(&b, &of_pictures).unwrap();
        assert_eq!(load(&b).unwrap(), of_pictures);
        let first = fs::read(&b).unwrap();
        for _ in 0..8 {
            save(&b, &of_pictures).unwrap();
            assert_eq!(fs::read(&b).unwrap(), first);
        }
        assert_eq!(fs::read_dir(dir.path().join("deep/er")).unwrap().count(), 1, "no temporary file stays behind");
    }

    #[test]
    fn pictures_in_an_entry_of_their_own_are_still_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        let model = sample();
        save(&path, &model).unwrap();
        let file = fs::read(&path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&file).unwrap();
        let pictures = PictureGeometry::stretched(3, 32, 32);
        let mut metadata = header.metadata().clone().unwrap();
        metadata.insert(PICTURES_KEY.to_owned(), serde_json::to_string(&pictures).unwrap());
        let tensors = SafeTensors::deserialize(&file).unwrap().tensors();
        fs::write(&path, safetensors::serialize(tensors, Some(metadata)).unwrap()).unwrap();
        assert_eq!(load(&path).unwrap(), Model { pictures: Some(pictures), ..model });
    }

    #[test]
    fn every_truncation_and_every_flipped_byte_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        save(&path, &sample()).unwrap();
        let good = fs::read(&path).unwrap();
        for cut in 0..good.len() {
            fs::write(&path, &good[..cut]).unwrap();
            let error = load(&path).unwrap_err().to_string();
            assert!(error.contains("m.safetensors"), "{cut}: {error}");
        }
        for at in good.len() - 40..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            fs::write(&path, &bad).unwrap();
            let error = load(&path).unwrap_err().to_string();
            assert!(error.contains("digest") && error.contains("trained anew"), "{error}");
        }
    }

    #[test]
    fn other_versions_and_methods_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        save(&path, &sample()).unwrap();
        let read = load(&path).unwrap();
        read.expect_method(&path, "acr_dsvdd", 2).unwrap();
        let error = read.expect_method(&path, "acr_dsvdd", 3).unwrap_err().to_string();
        assert!(error.contains("acr_dsvdd@2, wanted acr_dsvdd@3"), "{error}");

        let mut newer = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&newer).into_owned();
        let at = text.find("format_version").unwrap() + "format_version\\\":".len();
        assert_eq!(newer[at], b'1');
        newer[at] = b'9';
        fs::write(&path, newer).unwrap();
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains("format 9") && error.contains("reads formats 1 to 2"), "{error}");
    }
}
