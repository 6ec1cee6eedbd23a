//! Named values from safetensors or PyTorch files.

mod torch;
mod values;

use std::fs;
use std::path::Path;

use candle_core::DType;
use safetensors::{Dtype, SafeTensors};
use zsad_core::{Array, Arrays, Error, Result};

use values::decode;
pub use values::{from_candle, to_candle};

/// Floating-point tensors of a safetensors or PyTorch file (told apart by content), in single precision: halves are
/// widened, which is said. Integer tensors, which in state dicts are counters, are left out.
///
/// # Errors
/// [`Error::Data`] where the file is missing, damaged, or holds no state dict.
pub fn read(path: &Path) -> Result<Arrays> {
    let file = fs::read(path).map_err(|e| Error::io(path, &e))?;
    let is_torch = torch::is_torch(&file);
    let (arrays, halves) = if is_torch { torch::from_torch(path, &file) } else { from_safetensors(path, &file) }?;
    if halves > 0 {
        let n = arrays.len();
        tracing::warn!("{}: {halves} of {n} tensors are in half precision; they are widened", path.display());
    }
    Ok(arrays)
}

/// The tensors, and how many of them are in half precision.
fn from_safetensors(path: &Path, file: &[u8]) -> Result<(Arrays, usize)> {
    let damaged = |e| Error::data(path, format!("not a readable safetensors file: {e}"), "fetch or make it again");
    let parsed = SafeTensors::deserialize(file).map_err(damaged)?;
    let (mut arrays, mut halves) = (Arrays::new(), 0);
    for (name, view) in parsed.tensors() {
        let dtype = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F64 => DType::F64,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            _ => continue,
        };
        halves += usize::from(dtype.size_in_bytes() == 2);
        let values = decode(dtype, view.data()).map_err(|e| Error::data(path, format!("tensor `{name}`: {e}"), ""))?;
        arrays.insert(name, Array::single(view.shape().to_vec(), values));
    }
    Ok((arrays, halves))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};
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
        assert_eq!(from_safetensors(&path, &fs::read(&path).unwrap()).unwrap().1, 2);
        let found = read(&path).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(found["a"], Array::single(vec![], vec![1.5]));
        assert_eq!(found["b"], Array::single(vec![2, 1], vec![-0.5, 2.0]));
        assert_eq!(found["c"], Array::single(vec![1], vec![3.0]));
    }

    #[test]
    fn candle_tensors_of_any_layout_round_trip() {
        let values: Vec<f32> = (0..6).map(|v| v as f32).collect();
        let t = Tensor::from_slice(&values, (2, 3), &Device::Cpu).unwrap().t().unwrap();
        let array = from_candle(&t).unwrap();
        assert_eq!(array, Array::single(vec![3, 2], vec![0., 3., 1., 4., 2., 5.]));
        let back: Vec<Vec<f32>> = to_candle(&array, &Device::Cpu).unwrap().to_vec2().unwrap();
        assert_eq!(back, [[0., 3.], [1., 4.], [2., 5.]]);
    }
}
