//! Between candle's tensors and plain arrays.

use candle_core::{DType, Device, Tensor};
use zsad_core::{Array, Values};

use crate::Result;

/// A copy of a candle tensor, from whatever device and layout, in single precision.
///
/// # Errors
/// Where the device cannot be read.
pub fn from_candle(tensor: &Tensor) -> Result<Array> {
    let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    Ok(Array::single(tensor.dims().to_vec(), values))
}

/// A candle tensor on `device`, in the array's precision.
///
/// # Errors
/// Where the device cannot be written.
pub fn to_candle(array: &Array, device: &Device) -> Result<Tensor> {
    Ok(match array.values() {
        Values::F32(values) => Tensor::from_slice(values, array.shape(), device)?,
        Values::F64(values) => Tensor::from_slice(values, array.shape(), device)?,
    })
}

/// Little-endian values of a floating-point `dtype` in single precision; trailing odd bytes are an error.
pub(super) fn decode(dtype: DType, bytes: &[u8]) -> candle_core::Result<Vec<f32>> {
    let len = bytes.len() / dtype.size_in_bytes();
    Tensor::from_raw_buffer(bytes, dtype, &[len], &Device::Cpu)?.to_dtype(DType::F32)?.to_vec1()
}
