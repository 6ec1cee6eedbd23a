//! Named `f32` tensors in plain memory, and reading them from safetensors or PyTorch files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use safetensors::{Dtype, SafeTensors};
use zsad_core::{Error, Result};

use super::torch;

/// Tensors by name.
pub type NamedTensors = BTreeMap<String, HostTensor>;

/// A dense row-major `f32` tensor in plain memory.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl HostTensor {
    /// `values` in row-major order of `shape`; a scalar has the shape `[]`.
    ///
    /// # Panics
    /// Where the number of values is not the product of `shape` (a mistake of the caller).
    pub fn new(shape: Vec<usize>, values: Vec<f32>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "values of a tensor of shape {shape:?}");
        HostTensor { shape, values }
    }

    /// A copy of a candle tensor, from whatever device and layout, in single precision.
    ///
    /// # Errors
    /// Where the device cannot be read.
    pub fn from_candle(tensor: &Tensor) -> candle_core::Result<Self> {
        let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        Ok(HostTensor::new(tensor.dims().to_vec(), values))
    }

    /// A candle tensor on `device`.
    ///
    /// # Errors
    /// Where the device cannot be written.
    pub fn to_candle(&self, device: &Device) -> candle_core::Result<Tensor> {
        Tensor::from_slice(&self.values, self.shape.as_slice(), device)
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values in row-major order.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The values alone.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }

    pub(super) fn to_le_bytes(&self) -> Vec<u8> {
        self.values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }
}

/// Floating-point tensors of a safetensors or PyTorch file (told apart by content); integer tensors, which in state
/// dicts are counters, are left out.
///
/// # Errors
/// [`Error::Data`] where the file is missing, damaged, or holds no state dict.
pub fn read_tensors(path: &Path) -> Result<NamedTensors> {
    let file = fs::read(path).map_err(|e| Error::io(path, &e))?;
    if torch::is_torch(&file) { torch::from_torch(path, &file) } else { from_safetensors(path, &file) }
}

pub(super) fn from_safetensors(path: &Path, file: &[u8]) -> Result<NamedTensors> {
    let damaged = |e| Error::data(path, format!("not a readable safetensors file: {e}"), "fetch or make it again");
    let parsed = SafeTensors::deserialize(file).map_err(damaged)?;
    let mut tensors = NamedTensors::new();
    for (name, view) in parsed.tensors() {
        let dtype = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F64 => DType::F64,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            _ => continue,
        };
        let values = decode(dtype, view.data()).map_err(|e| Error::data(path, format!("tensor `{name}`: {e}"), ""))?;
        tensors.insert(name, HostTensor::new(view.shape().to_vec(), values));
    }
    Ok(tensors)
}

/// Little-endian values of a floating-point `dtype` in single precision; trailing odd bytes are an error.
pub(super) fn decode(dtype: DType, bytes: &[u8]) -> candle_core::Result<Vec<f32>> {
    let len = bytes.len() / dtype.size_in_bytes();
    Tensor::from_raw_buffer(bytes, dtype, &[len], &Device::Cpu)?.to_dtype(DType::F32)?.to_vec1()
}

/// Checks that `tensors` are exactly `wanted` (name, shape); all differences in one error.
pub(crate) fn expect<'a>(
    path: &Path,
    tensors: &NamedTensors,
    wanted: impl IntoIterator<Item = (&'a str, &'a [usize])>,
    remedy: &str,
) -> Result<()> {
    let wanted: BTreeMap<&str, &[usize]> = wanted.into_iter().collect();
    let mut problems = Vec::new();
    for (name, shape) in &wanted {
        match tensors.get(*name) {
            None => problems.push(format!("missing `{name}`")),
            Some(t) if t.shape() != *shape => {
                problems.push(format!("`{name}` has shape {:?}, wanted {shape:?}", t.shape()));
            }
            Some(_) => {}
        }
    }
    problems.extend(tensors.keys().filter(|k| !wanted.contains_key(k.as_str())).map(|k| format!("unexpected `{k}`")));
    if problems.is_empty() {
        return Ok(());
    }
    Err(Error::data(path, format!("other tensors than wanted: {}", problems.join(", ")), remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::TensorView;

    #[test]
    fn every_float_kind_is_read_and_counters_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.safetensors");
        let (f64s, i64s) = (1.5f64.to_le_bytes(), 7i64.to_le_bytes());
        let f16s = [0xb800u16.to_le_bytes(), 0x4000u16.to_le_bytes()].concat(); // -0.5 and 2
        let bf16s = 0x4040u16.to_le_bytes(); // 3
        let view = |dtype, shape: &[usize], bytes| TensorView::new(dtype, shape.to_vec(), bytes).unwrap();
        let tensors = [
            ("a", view(Dtype::F64, &[], &f64s)),
            ("b", view(Dtype::F16, &[2, 1], &f16s)),
            ("c", view(Dtype::BF16, &[1], &bf16s)),
            ("n", view(Dtype::I64, &[], &i64s)),
        ];
        fs::write(&path, safetensors::serialize(tensors, None).unwrap()).unwrap();
        let read = read_tensors(&path).unwrap();
        assert_eq!(read.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(read["a"], HostTensor::new(vec![], vec![1.5]));
        assert_eq!(read["b"], HostTensor::new(vec![2, 1], vec![-0.5, 2.0]));
        assert_eq!(read["c"], HostTensor::new(vec![1], vec![3.0]));
    }

    #[test]
    fn candle_tensors_of_any_layout_round_trip() {
        let values: Vec<f32> = (0..6).map(|v| v as f32).collect();
        let t = Tensor::from_slice(&values, (2, 3), &Device::Cpu).unwrap().t().unwrap();
        let host = HostTensor::from_candle(&t).unwrap();
        assert_eq!(host, HostTensor::new(vec![3, 2], vec![0., 3., 1., 4., 2., 5.]));
        let back: Vec<Vec<f32>> = host.to_candle(&Device::Cpu).unwrap().to_vec2().unwrap();
        assert_eq!(back, [[0., 3.], [1., 4.], [2., 5.]]);
    }
}
