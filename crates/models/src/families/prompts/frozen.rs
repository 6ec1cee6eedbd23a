//! Layers that pass gradients on and have none themselves.

use candle_core::{CpuStorage, CustomOp1, D, Device, Layout, Shape, Storage, Tensor};
use zsad_backbones::clip::{Dense, NormWeights};
use zsad_nn::Result;

/// y = x Wᵀ + b.
pub(crate) struct FrozenLinear {
    /// `[out, in]`.
    weight: Tensor,
    /// `[out]`.
    bias: Tensor,
}

impl FrozenLinear {
    /// With the layer's values on `device`.
    pub fn new(of: &Dense, device: &Device) -> Result<Self> {
        let outputs = of.bias.len();
        let weight = Tensor::from_slice(&of.weight, (outputs, of.inputs), device)?;
        Ok(FrozenLinear { weight, bias: Tensor::from_slice(&of.bias, outputs, device)? })
    }

    /// Values of an output.
    pub fn outputs(&self) -> usize {
        self.bias.elem_count()
    }

    /// `[…, in]` → `[…, out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut shape = x.dims().to_vec();
        let inputs = shape.pop().unwrap_or(0);
        shape.push(self.outputs());
        let rows = x.reshape(((), inputs))?.contiguous()?;
        let y = match rows.device().is_cpu() && rows.track_op() {
            // Candle's product would compute a gradient for the weight as well.
            true => rows.apply_op1(Product(self.weight.clone()))?,
            false => rows.matmul(&self.weight.t()?)?,
        };
        Ok(y.broadcast_add(&self.bias)?.reshape(shape)?)
    }
}

/// x Wᵀ, of which x alone has a gradient.
struct Product(Tensor);

impl CustomOp1 for Product {
    fn name(&self) -> &'static str {
        "product with frozen weights"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let wrong = || candle_core::Error::Msg("a product wants contiguous rows on the processor".into());
        let (start, end) = layout.contiguous_offsets().ok_or_else(wrong)?;
        let x = Tensor::from_slice(&x.as_slice::<f32>()?[start..end], layout.shape(), &Device::Cpu)?;
        let y = x.matmul(&self.0.t()?)?;
        let (storage, _) = y.storage_and_layout();
        match &*storage {
            Storage::Cpu(values) => Ok((values.clone(), y.shape().clone())),
            _ => Err(wrong()),
        }
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> candle_core::Result<Option<Tensor>> {
        gradient.contiguous()?.matmul(&self.0).map(Some)
    }
}

/// Normalises every row by its own mean and biased variance.
pub(crate) struct FrozenNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl FrozenNorm {
    /// With the norm's values on `device`.
    pub fn new(of: &NormWeights, device: &Device) -> Result<Self> {
        let vector = |values: &[f32]| Tensor::from_slice(values, values.len(), device);
        Ok(FrozenNorm { weight: vector(&of.weight)?, bias: vector(&of.bias)?, eps: of.eps })
    }

    /// `[…, width]` → the same shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        layer_norm(x, (&self.weight, &self.bias), self.eps)
    }
}

/// Layer norm with gain and offset.
pub(crate) fn layer_norm(x: &Tensor, (weight, bias): (&Tensor, &Tensor), eps: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
    Ok(centred.broadcast_div(&deviation)?.broadcast_mul(weight)?.broadcast_add(bias)?)
}
