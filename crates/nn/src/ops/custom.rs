//! Operations of any number of tensors with a gradient of their own; candle itself knows them of up to three.

use std::sync::{Arc, Mutex};

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Error, Layout, Result, Shape, Tensor};

use super::{Element, scope, storage};

type Gradients = Vec<Option<Tensor>>;
type Backward = dyn Fn(&Tensor) -> Result<Gradients> + Send + Sync;

/// A tensor of `values` that candle's autograd takes for a function of `args`. `backward` gets the gradient of the
/// result, contiguous, and returns one gradient for each of `args`; those that are not tracked may be `None`.
///
/// The arguments are joined, one after the other, to a token: a scalar without meaning that keeps them in the graph. On
/// the way back the result's gradient is met first and all gradients are computed; each joint then hands out its own.
pub fn custom<F: Element>(
    values: Vec<F>,
    shape: impl Into<Shape>,
    args: &[Tensor],
    backward: impl Fn(&Tensor) -> Result<Gradients> + Send + Sync + 'static,
) -> Result<Tensor> {
    let shape = shape.into();
    let Some(device) = args.first().map(Tensor::device) else {
        return Err(Error::Msg("an operation wants an argument".into()));
    };
    if !scope::tracks(args) {
        return Tensor::from_vec(values, shape, device);
    }
    let gradients = Arc::new(Mutex::new(Vec::new()));
    let mut token: Option<Tensor> = None;
    for (index, arg) in args.iter().enumerate().filter(|(_, a)| a.track_op()) {
        let joint = Joint { gradients: gradients.clone(), index };
        token = Some(match token {
            None => arg.apply_op1(joint)?,
            Some(token) => token.apply_op2(arg, joint)?,
        });
    }
    let Some(token) = token else { return Tensor::from_vec(values, shape, device) };
    let output = Mutex::new(Some((storage(values), shape)));
    token.apply_op1(Emit { output, gradients, backward: Box::new(backward) })
}

/// Keeps an argument in the graph and passes its gradient on.
struct Joint {
    gradients: Arc<Mutex<Gradients>>,
    index: usize,
}

impl Joint {
    fn take(&self, arg: &Tensor) -> Result<Option<Tensor>> {
        let mut all = self.gradients.lock().map_err(|_| Error::Msg("a gradient computation panicked".into()))?;
        match all.get_mut(self.index).and_then(Option::take) {
            // Candle wants a gradient for every tracked argument that is not a variable.
            None if !arg.is_variable() => arg.zeros_like().map(Some),
            gradient => Ok(gradient),
        }
    }
}

impl CustomOp1 for Joint {
    fn name(&self) -> &'static str {
        "joint"
    }

    fn cpu_fwd(&self, s: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((scalar(s)?, Shape::from(())))
    }

    fn bwd(&self, arg: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        self.take(arg)
    }
}

impl CustomOp2 for Joint {
    fn name(&self) -> &'static str {
        "joint"
    }

    fn cpu_fwd(&self, s: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((scalar(s)?, Shape::from(())))
    }

    fn bwd(&self, token: &Tensor, arg: &Tensor, _: &Tensor, _: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(token.zeros_like()?), self.take(arg)?))
    }
}

/// Turns the token into the result.
struct Emit {
    output: Mutex<Option<(CpuStorage, Shape)>>,
    gradients: Arc<Mutex<Gradients>>,
    backward: Box<Backward>,
}

impl CustomOp1 for Emit {
    fn name(&self) -> &'static str {
        "kernel"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut output = self.output.lock().map_err(|_| Error::Msg("a kernel panicked".into()))?;
        output.take().ok_or_else(|| Error::Msg("the result of a kernel was taken twice".into()))
    }

    fn bwd(&self, token: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let all = (self.backward)(&gradient.contiguous()?)?;
        *self.gradients.lock().map_err(|_| Error::Msg("a gradient computation panicked".into()))? = all;
        Ok(Some(token.zeros_like()?))
    }
}

/// A zero of the same type.
fn scalar(like: &CpuStorage) -> Result<CpuStorage> {
    match like {
        CpuStorage::F32(_) => Ok(CpuStorage::F32(vec![0.0])),
        CpuStorage::F64(_) => Ok(CpuStorage::F64(vec![0.0])),
        other => Err(Error::Msg(format!(
            "kernels compute in f32 or f64, not {:?}",
            candle_core::backend::BackendStorage::dtype(other)
        ))),
    }
}
