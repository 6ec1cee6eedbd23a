//! Trained state on disk: named `f32` tensors as safetensors, with what they belong to in the header.
//!
//! The header's one metadata entry, `zsad`, is canonical JSON: format version, method and its version, parameters,
//! network, and a BLAKE3 digest of all tensors, so equal states make equal files and a flipped bit is found.

pub mod tensors;
pub mod torch;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zsad_core::key::canonical_json;
use zsad_core::{Error, Result, file};

pub use tensors::{HostTensor, NamedTensors, read_tensors};

/// Version of the header's layout; readers refuse any other.
pub const FORMAT_VERSION: u32 = 1;

const HEADER_KEY: &str = "zsad";
const RETRAIN: &str = "delete it and run again: the fit is then trained anew";

/// What a checkpoint belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointMeta {
    /// The method's registry name.
    pub method: String,
    /// Its version.
    pub method_version: u32,
    /// Its complete parameters.
    pub params: Value,
    /// Whatever the method needs to build its network again (layer sizes and the like).
    pub network: Value,
}

#[derive(Serialize, Deserialize)]
struct Header {
    format_version: u32,
    #[serde(flatten)]
    meta: CheckpointMeta,
    digest: String,
}

/// A checkpoint that was read.
#[derive(Debug)]
pub struct Checkpoint {
    /// What it belongs to.
    pub meta: CheckpointMeta,
    /// Its tensors by name.
    pub tensors: NamedTensors,
    path: PathBuf,
}

/// Writes `tensors` to `path`, whole or not at all: temporary file in the same folder, fsync, rename.
///
/// # Errors
/// Where the folder cannot be written.
pub fn save(path: &Path, meta: &CheckpointMeta, tensors: &NamedTensors) -> Result<()> {
    let header = Header { format_version: FORMAT_VERSION, meta: meta.clone(), digest: digest(tensors) };
    let header = serde_json::to_value(header).map_err(|e| Error::data(path, e, ""))?;
    let metadata = HashMap::from([(HEADER_KEY.to_owned(), canonical_json(&header))]);
    let bytes: Vec<Vec<u8>> = tensors.values().map(HostTensor::to_le_bytes).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, tensor), bytes)| {
        let view = TensorView::new(Dtype::F32, tensor.shape().to_vec(), bytes).map_err(|e| Error::data(path, e, ""))?;
        Ok((name, view))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    let file = safetensors::serialize(views, Some(metadata)).map_err(|e| Error::data(path, e, ""))?;
    file::write(path, &file)
}

impl Checkpoint {
    /// Reads and checks a file that [`save`] wrote.
    ///
    /// # Errors
    /// [`Error::Data`] where it is missing, truncated, altered, or of another format version.
    pub fn load(path: &Path) -> Result<Self> {
        let file = fs::read(path).map_err(|e| Error::io(path, &e))?;
        let damaged = |what: String| Error::data(path, what, RETRAIN);
        let (_, metadata) =
            SafeTensors::read_metadata(&file).map_err(|e| damaged(format!("not a readable safetensors file: {e}")))?;
        let Some(text) = metadata.metadata().as_ref().and_then(|m| m.get(HEADER_KEY)) else {
            return Err(damaged(format!("its header has no `{HEADER_KEY}` entry, so zsad did not write it")));
        };
        let header: Value = serde_json::from_str(text).map_err(|e| damaged(format!("its header is damaged: {e}")))?;
        let version = header.get("format_version").and_then(Value::as_u64);
        if version != Some(FORMAT_VERSION.into()) {
            let version = version.map_or("unknown".into(), |v| v.to_string());
            let what = format!("checkpoint format {version}, and this program reads format {FORMAT_VERSION}");
            return Err(Error::data(path, what, "use the version of zsad that wrote it, or train again"));
        }
        let header: Header =
            serde_json::from_value(header).map_err(|e| damaged(format!("its header is damaged: {e}")))?;
        let tensors = tensors::from_safetensors(path, &file)?;
        if digest(&tensors) != header.digest {
            return Err(damaged("its tensors do not have the digest that its header states".into()));
        }
        Ok(Checkpoint { meta: header.meta, tensors, path: path.to_owned() })
    }

    /// Refuses the checkpoint of another method or of another version of it.
    ///
    /// # Errors
    /// [`Error::Data`], naming both.
    pub fn expect_method(&self, method: &str, version: u32) -> Result<()> {
        let meta = &self.meta;
        if meta.method == method && meta.method_version == version {
            return Ok(());
        }
        let what = format!("trained by {}@{}, wanted {method}@{version}", meta.method, meta.method_version);
        Err(Error::data(&self.path, what, "name the method that trained it, or train again"))
    }

    /// Checks that exactly the tensors `wanted` (name, shape) are there.
    ///
    /// # Errors
    /// [`Error::Data`] with all missing and unexpected names and wrong shapes.
    pub fn expect_tensors<'a>(&self, wanted: impl IntoIterator<Item = (&'a str, &'a [usize])>) -> Result<()> {
        tensors::expect(&self.path, &self.tensors, wanted, RETRAIN)
    }

    /// The tensor `name`.
    ///
    /// # Errors
    /// [`Error::Data`] where there is none.
    pub fn tensor(&self, name: &str) -> Result<&HostTensor> {
        self.tensors.get(name).ok_or_else(|| Error::data(&self.path, format!("has no tensor `{name}`"), RETRAIN))
    }
}

/// A hash of names, shapes and values.
pub(crate) fn digest(tensors: &NamedTensors) -> String {
    let mut hasher = blake3::Hasher::new();
    for (name, tensor) in tensors {
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(&(tensor.shape().len() as u64).to_le_bytes());
        for &d in tensor.shape() {
            hasher.update(&(d as u64).to_le_bytes());
        }
        hasher.update(&tensor.to_le_bytes());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> (CheckpointMeta, NamedTensors) {
        let meta = CheckpointMeta {
            method: "acr_dsvdd".into(),
            method_version: 2,
            params: json!({"steps": 10, "lr": 4e-4}),
            network: json!({"mlp": [3, 2]}),
        };
        let weight = HostTensor::new(vec![2, 3], vec![1.0, -2.5, f32::MIN_POSITIVE, 0.1, 1e30, -0.0]);
        let center = HostTensor::new(vec![2], vec![0.25, 3.0]);
        (meta, NamedTensors::from([("net.weight".into(), weight), ("center".into(), center)]))
    }

    #[test]
    fn round_trip_is_exact_and_equal_states_make_equal_files() {
        let dir = tempfile::tempdir().unwrap();
        let (meta, tensors) = sample();
        let (a, b) = (dir.path().join("deep/er/a.safetensors"), dir.path().join("b.safetensors"));
        save(&a, &meta, &tensors).unwrap();
        save(&b, &meta, &tensors).unwrap();
        let read = Checkpoint::load(&a).unwrap();
        assert_eq!((&read.meta, &read.tensors), (&meta, &tensors));
        assert_eq!(fs::read(&a).unwrap(), fs::read(&b).unwrap());
        assert_eq!(fs::read_dir(dir.path().join("deep/er")).unwrap().count(), 1, "no temporary file stays behind");
    }

    #[test]
    fn every_truncation_and_every_flipped_byte_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        let (meta, tensors) = sample();
        save(&path, &meta, &tensors).unwrap();
        let good = fs::read(&path).unwrap();
        for cut in 0..good.len() {
            fs::write(&path, &good[..cut]).unwrap();
            let error = Checkpoint::load(&path).unwrap_err().to_string();
            assert!(error.contains("m.safetensors"), "{cut}: {error}");
        }
        for at in good.len() - 32..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            fs::write(&path, &bad).unwrap();
            let error = Checkpoint::load(&path).unwrap_err().to_string();
            assert!(error.contains("digest") && error.contains("trained anew"), "{error}");
        }
    }

    #[test]
    fn other_versions_methods_names_and_shapes_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        let (meta, tensors) = sample();
        save(&path, &meta, &tensors).unwrap();
        let read = Checkpoint::load(&path).unwrap();
        read.expect_method("acr_dsvdd", 2).unwrap();
        let error = read.expect_method("acr_dsvdd", 3).unwrap_err().to_string();
        assert!(error.contains("acr_dsvdd@2, wanted acr_dsvdd@3"), "{error}");

        read.expect_tensors([("center", &[2][..]), ("net.weight", &[2, 3])]).unwrap();
        let error = read.expect_tensors([("center", &[3][..]), ("net.bias", &[2])]).unwrap_err().to_string();
        for part in ["missing `net.bias`", "unexpected `net.weight`", "`center` has shape [2], wanted [3]"] {
            assert!(error.contains(part), "{part} in {error}");
        }
        assert!(read.tensor("nothing").unwrap_err().to_string().contains("`nothing`"));

        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let newer = fs::read(&path).unwrap();
        let at = text.find("format_version").unwrap() + "format_version\\\":".len();
        let mut newer = newer;
        assert_eq!(newer[at], b'1');
        newer[at] = b'9';
        fs::write(&path, newer).unwrap();
        let error = Checkpoint::load(&path).unwrap_err().to_string();
        assert!(error.contains("format 9") && error.contains("reads format 1"), "{error}");
    }

    #[test]
    fn a_safetensors_file_of_somebody_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        let bytes = 1f32.to_le_bytes();
        let view = TensorView::new(Dtype::F32, vec![1], &bytes).unwrap();
        fs::write(&path, safetensors::serialize([("w", view)], None).unwrap()).unwrap();
        assert!(Checkpoint::load(&path).unwrap_err().to_string().contains("zsad did not write it"));
        assert!(Checkpoint::load(&dir.path().join("absent")).unwrap_err().to_string().contains("absent"));
    }
}
