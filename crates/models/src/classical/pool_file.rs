//! The saved state of a method fitted on the pool: its points in double precision, as safetensors.
//!
//! The header's one metadata entry, `zsad`, is canonical JSON: method and version, parameters, seed and a BLAKE3 digest
//! of the points.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zsad_core::key::canonical_json;
use zsad_core::{Error, MethodSpec, Params, Result, file};

use super::Points;

const HEADER: &str = "zsad";
const TENSOR: &str = "pool";

/// What the file says of itself.
#[derive(Serialize, Deserialize)]
pub(super) struct Header {
    method: String,
    method_version: u32,
    pub params: Value,
    pub seed: u64,
    digest: String,
}

/// A file that was read.
pub(super) struct PoolFile {
    pub header: Header,
    pub pool: Points,
}

pub(super) fn damaged(path: &Path, what: impl ToString) -> Error {
    Error::data(path, what, "delete it and run again: the fit is then made anew")
}

/// Writes the points to `path`, whole or not at all.
pub(super) fn save(path: &Path, spec: &MethodSpec, params: &Params, seed: u64, pool: &Points) -> Result<()> {
    let bytes: Vec<u8> = pool.values().iter().flat_map(|v| v.to_le_bytes()).collect();
    let header = Header {
        method: spec.name.into(),
        method_version: spec.version,
        params: params.to_json(),
        seed,
        digest: digest(&bytes),
    };
    let header = serde_json::to_value(header).map_err(|e| Error::data(path, e, ""))?;
    let view = TensorView::new(Dtype::F64, vec![pool.len(), pool.dim()], &bytes);
    let file = view.and_then(|view| {
        safetensors::serialize([(TENSOR, view)], Some(HashMap::from([(HEADER.into(), canonical_json(&header))])))
    });
    let file = file.map_err(|e| Error::data(path, e, ""))?;
    file::write(path, &file)
}

/// Reads and checks what [`save`] wrote for the method of `spec`.
pub(super) fn load(path: &Path, spec: &MethodSpec) -> Result<PoolFile> {
    let file = fs::read(path).map_err(|e| Error::io(path, &e))?;
    let unreadable = |e| damaged(path, format!("not a readable safetensors file: {e}"));
    let (_, metadata) = SafeTensors::read_metadata(&file).map_err(unreadable)?;
    let text = metadata.metadata().as_ref().and_then(|m| m.get(HEADER));
    let text = text.ok_or_else(|| damaged(path, format!("its header has no `{HEADER}` entry")))?;
    let header: Header = serde_json::from_str(text).map_err(|e| damaged(path, format!("its header: {e}")))?;
    if (header.method.as_str(), header.method_version) != (spec.name, spec.version) {
        let what =
            format!("fitted by {}@{}, wanted {}@{}", header.method, header.method_version, spec.name, spec.version);
        return Err(Error::data(path, what, "name the method that it belongs to, or fit again"));
    }
    let tensors = SafeTensors::deserialize(&file).map_err(unreadable)?;
    let view = tensors.tensor(TENSOR).map_err(unreadable)?;
    match *view.shape() {
        [n, dim] if view.dtype() == Dtype::F64 && n > 0 && dim > 0 && digest(view.data()) == header.digest => {
            let values = view.data().as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect();
            Ok(PoolFile { header, pool: Points::from_values(values, dim) })
        }
        _ => Err(damaged(path, "its points do not have the digest that its header states")),
    }
}

fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
