//! Every layer, network, loss and optimiser on two devices side by side: outputs, gradients and what is kept.
//!
//! [`parity`] runs them in single precision on one device and on another, from the same draws, and says how far they differ.
//! Between the processor with its kernels and without them it is a test of this crate; between the processor and a GPU it is
//! the first thing to look at on a new machine.

mod cases;

use candle_core::{DType, Tensor, Var};
use zsad_core::rng::stream;
use zsad_core::{Device, Error, Result};

use zsad_nn::params::Builder;
use zsad_nn::{Init, ParamStore};

/// What two devices may differ by, relative to the largest value of a tensor.
pub const TOLERANCE: f64 = 1e-4;
/// Gradients that are zero but for rounding, as of a bias before a norm, are held against this share of the largest gradient.
const FLOOR: f64 = 0.1;

/// How far two devices differ on a case.
#[derive(Debug, Clone, PartialEq)]
pub struct Parity {
    /// Its name.
    pub case: String,
    /// The tensor that differs most.
    pub tensor: String,
    /// The largest difference of its values, relative to the largest of them.
    pub relative: f64,
}

/// A tensor's name and values.
pub type Values = (String, Vec<f64>);
/// A module: what maps an input to an output.
type Forward = Box<dyn Fn(&Tensor) -> zsad_nn::Result<Tensor>>;

/// A case: what it comes to on a device.
struct Case {
    name: String,
    run: Box<dyn Fn(Device) -> zsad_nn::Result<Vec<Values>>>,
}

impl Case {
    /// A module on a normal input of `shape`: output, the gradients of input and parameters of an uneven sum of the output,
    /// and what the module keeps.
    fn module(
        name: impl Into<String>,
        shape: &[usize],
        build: impl Fn(&mut Builder) -> zsad_nn::Result<Forward> + 'static,
    ) -> Self {
        let shape = shape.to_vec();
        let run = move |device| {
            let mut store = ParamStore::on(device)?;
            let forward = build(&mut store.builder(&mut stream(1, &[("purpose", "parity")])))?;
            let x = Var::from_tensor(&normal(&shape, "input", &store)?)?;
            let y = forward(&x)?;
            let weight = normal(y.dims(), "weight", &store)?;
            let gradients = (&y * weight)?.sum_all()?.backward()?;
            let mut found = vec![("output".to_owned(), values(&y)?)];
            let gradient = |var: &Var| match gradients.get(var) {
                Some(gradient) => values(gradient),
                None => Ok(vec![0.0; var.elem_count()]),
            };
            found.push(("gradient of the input".to_owned(), gradient(&x)?));
            for p in store.trainable() {
                found.push((format!("gradient of {}", p.name), gradient(&p.var)?));
            }
            for p in store.iter().filter(|p| !p.trainable) {
                found.push((p.name.clone(), values(&p.var)?));
            }
            Ok(found)
        };
        Case { name: name.into(), run: Box::new(run) }
    }

    fn new(name: impl Into<String>, run: impl Fn(Device) -> zsad_nn::Result<Vec<Values>> + 'static) -> Self {
        Case { name: name.into(), run: Box::new(run) }
    }
}

/// Standard normal values, the same on every device.
fn normal(shape: &[usize], what: &str, store: &ParamStore) -> zsad_nn::Result<Tensor> {
    let mut rng = stream(2, &[("purpose", what)]);
    Init::Normal(0.0, 1.0).tensor(shape, DType::F32, store.device(), &mut rng)
}

fn values(x: &Tensor) -> candle_core::Result<Vec<f64>> {
    x.flatten_all()?.to_dtype(DType::F64)?.to_vec1()
}

/// Every case on both devices.
///
/// # Errors
/// [`Error::Failed`] where a case cannot be computed on one of them, with its name; those of [`zsad_nn::device::open`].
pub fn parity(a: Device, b: Device) -> Result<Vec<Parity>> {
    for device in [a, b] {
        zsad_nn::device::open(device)?;
    }
    let compare = |case: &Case| {
        let run =
            |device: Device| (case.run)(device).map_err(|e| Error::failed(format!("{} on {device}: {e}", case.name)));
        compare(&case.name, &run(a)?, &run(b)?)
    };
    cases::all().iter().map(compare).collect()
}

/// How far two results of a case differ.
///
/// # Errors
/// [`Error::Failed`] where they are not of the same tensors.
pub fn compare(case: &str, a: &[Values], b: &[Values]) -> Result<Parity> {
    let largest = |v: &[f64]| v.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let is_gradient = |name: &str| name.starts_with("gradient");
    let steepest = a.iter().filter(|(name, _)| is_gradient(name)).map(|(_, v)| largest(v)).fold(0.0, f64::max);
    let mut worst = Parity { case: case.to_owned(), tensor: String::new(), relative: -1.0 };
    for ((tensor, x), (other, y)) in a.iter().zip(b) {
        if tensor != other || x.len() != y.len() {
            return Err(Error::failed(format!("{case}: `{tensor}` has {} values, `{other}` {}", x.len(), y.len())));
        }
        let off = x.iter().zip(y).map(|(x, y)| (x - y).abs());
        // Whatever is not a number is as far off as can be.
        let off = off.fold(0.0, |m: f64, v| if v.is_nan() { f64::INFINITY } else { m.max(v) });
        let floor = if is_gradient(tensor) { FLOOR * steepest } else { 0.0 };
        let relative = off / largest(x).max(floor).max(f64::MIN_POSITIVE);
        if relative > worst.relative {
            (worst.tensor, worst.relative) = (tensor.clone(), relative);
        }
    }
    Ok(worst)
}
