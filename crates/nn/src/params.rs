//! Named parameters: what an optimiser updates and a trained state keeps.

use candle_core::{DType, Device, DeviceLocation, Tensor, Var};
use zsad_core::rng::Rng;
use zsad_core::{Implementation, Operator, Operators, State};

use crate::error::bail_shape;
use crate::weights::{from_candle, to_candle};
use crate::{Init, Result};

/// Gradients of the trained parameters, in the store's order; `None` where the loss does not depend on one.
pub type Gradients = Vec<Option<Tensor>>;

/// One named tensor of a [`ParamStore`].
#[derive(Debug, Clone)]
pub struct Param {
    /// Dotted name, as in a PyTorch state dict: `head.linear.weight`.
    pub name: String,
    /// The value; clones share it.
    pub var: Var,
    /// Whether an optimiser updates it. Running statistics are kept here, too, and are not trained.
    pub trainable: bool,
}

/// Parameters by name, in the order of their registration. Clones share the values.
#[derive(Debug, Clone)]
pub struct ParamStore {
    params: Vec<Param>,
    device: Device,
    place: zsad_core::Device,
    dtype: DType,
    operators: Operators,
}

impl ParamStore {
    /// An empty store on a device of candle's, with our kernels where that is the processor; `dtype` is F32, or F64 for
    /// gradient checks.
    pub fn new(device: &Device, dtype: DType) -> Self {
        let place = match device.location() {
            DeviceLocation::Cpu => zsad_core::Device::Cpu,
            DeviceLocation::Cuda { gpu_id } | DeviceLocation::Metal { gpu_id } => zsad_core::Device::Cuda(gpu_id),
        };
        ParamStore { params: Vec::new(), device: device.clone(), place, dtype, operators: Operators::NONE }
    }

    /// An empty store in single precision on the device that a person names.
    ///
    /// # Errors
    /// As [`crate::device::open`].
    pub fn on(place: zsad_core::Device) -> zsad_core::Result<Self> {
        Ok(ParamStore { place, ..ParamStore::new(&crate::device::open(place)?, DType::F32) })
    }

    /// The same, empty, on the same device, and as precise.
    pub fn empty_like(&self) -> Self {
        ParamStore { params: Vec::new(), operators: Operators::NONE, ..self.clone() }
    }

    /// Where its tensors live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// How `operator` is computed there.
    pub fn implementation(&self, operator: Operator) -> Implementation {
        operator.on(self.place)
    }

    /// The operators of the layers that were built on it.
    pub fn operators(&self) -> Operators {
        self.operators
    }

    /// The operators of the layers that were built on it and how each is computed, for the record: `linear fused, …`.
    pub fn describe_operators(&self) -> String {
        let each = |o: Operator| format!("{o} {}", self.implementation(o));
        self.operators.iter().map(each).collect::<Vec<_>>().join(", ")
    }

    /// The type of its tensors.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Starts registering parameters, drawn from `rng` in the order of registration.
    pub fn builder<'a>(&'a mut self, rng: &'a mut Rng) -> Builder<'a> {
        Builder { store: self, rng, prefix: String::new() }
    }

    /// All parameters, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Param> {
        self.params.iter()
    }

    /// The trained ones, in order.
    pub fn trainable(&self) -> impl Iterator<Item = &Param> {
        self.params.iter().filter(|p| p.trainable)
    }

    /// The number of trained values.
    pub fn count(&self) -> usize {
        self.trainable().map(|p| p.var.elem_count()).sum()
    }

    /// The parameter called `name`.
    pub fn get(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|p| p.name == name)
    }

    /// Gives the parameter called `name` the values of `value`, converted to the store's device and type.
    ///
    /// # Errors
    /// Where there is no such name, or the shapes differ.
    pub fn set(&self, name: &str, value: &Tensor) -> Result<()> {
        let Some(param) = self.get(name) else {
            bail_shape!("no parameter is called `{name}`: {}", zsad_core::suggest::hint(name, self.names()))
        };
        if param.var.dims() != value.dims() {
            bail_shape!("`{name}` has the shape {:?}, not {:?}", param.var.dims(), value.dims());
        }
        Ok(param.var.set(&value.to_device(&self.device)?.to_dtype(self.dtype)?)?)
    }

    /// The value of a loss, and its gradients with respect to the trained parameters.
    ///
    /// # Errors
    /// Where candle refuses.
    pub fn gradients_of(&self, loss: &Tensor) -> Result<(f64, Gradients)> {
        let value = loss.to_dtype(DType::F64)?.to_scalar()?;
        let mut gradients = loss.backward()?;
        Ok((value, self.trainable().map(|p| gradients.remove(&p.var)).collect()))
    }

    /// The trained values as they are now.
    ///
    /// # Errors
    /// Where the device refuses the memory.
    pub fn snapshot(&self) -> Result<Vec<Tensor>> {
        self.trainable().map(|p| Ok(p.var.copy()?)).collect()
    }

    /// How far the trained values lie from those of [`ParamStore::snapshot`], as a share of the length of these.
    ///
    /// # Errors
    /// Where candle refuses.
    pub fn moved_from(&self, before: &[Tensor]) -> Result<f64> {
        let squares = |t: &Tensor| t.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar::<f64>();
        let (mut moved, mut length) = (0.0, 0.0);
        for (param, before) in self.trainable().zip(before) {
            moved += squares(&(param.var.as_tensor() - before)?)?;
            length += squares(before)?;
        }
        Ok((moved / length.max(f64::MIN_POSITIVE)).sqrt())
    }

    /// All values by name, with what is needed to build the network again.
    ///
    /// # Errors
    /// Where the device cannot be read.
    pub fn state(&self, network: serde_json::Value) -> Result<State> {
        let arrays = self.params.iter().map(|p| Ok((p.name.clone(), from_candle(&p.var)?)));
        Ok(State { network, arrays: arrays.collect::<Result<_>>()? })
    }

    /// Takes the values of `state`, which must hold exactly the names and shapes of this store.
    ///
    /// # Errors
    /// Where it does not.
    pub fn restore(&self, state: &State) -> Result<()> {
        state.expect(self.params.iter().map(|p| (p.name.as_str(), p.var.dims())))?;
        self.params.iter().try_for_each(|p| self.set(&p.name, &to_candle(state.array(&p.name)?, &self.device)?))
    }

    fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.params.iter().map(|p| p.name.as_str())
    }
}

/// Registers parameters under a dotted prefix.
pub struct Builder<'a> {
    store: &'a mut ParamStore,
    rng: &'a mut Rng,
    prefix: String,
}

impl Builder<'_> {
    /// A builder for the names below `name`.
    pub fn scope(&mut self, name: impl std::fmt::Display) -> Builder<'_> {
        let prefix = if self.prefix.is_empty() { name.to_string() } else { format!("{}.{name}", self.prefix) };
        Builder { store: self.store, rng: self.rng, prefix }
    }

    /// How `operator`, which a layer is made of, is computed on the store's device.
    pub fn operator(&mut self, operator: Operator) -> Implementation {
        self.store.operators = self.store.operators.and(&[operator]);
        self.store.implementation(operator)
    }

    /// Registers a trained parameter.
    ///
    /// # Errors
    /// Where the name is taken or the device refuses the memory.
    pub fn add(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Var> {
        self.register(name, shape, init, true)
    }

    /// Registers a tensor that is kept but not trained, such as running statistics.
    ///
    /// # Errors
    /// As [`Builder::add`].
    pub fn buffer(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Var> {
        self.register(name, shape, init, false)
    }

    fn register(&mut self, name: &str, shape: &[usize], init: Init, trainable: bool) -> Result<Var> {
        let name = if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) };
        if self.store.get(&name).is_some() {
            bail_shape!("the parameter name `{name}` is taken");
        }
        let var = Var::from_tensor(&init.tensor(shape, self.store.dtype, &self.store.device, self.rng)?)?;
        self.store.params.push(Param { name, var: var.clone(), trainable });
        Ok(var)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zsad_core::rng::stream;

    #[test]
    fn names_are_dotted_unique_and_suggested() {
        let mut store = ParamStore::new(&Device::Cpu, DType::F32);
        let mut rng = stream(0, &[]);
        let mut b = store.builder(&mut rng);
        b.scope(0).scope("linear").add("weight", &[2, 3], Init::XavierUniform).unwrap();
        b.scope(0).scope("norm").buffer("running_mean", &[2], Init::ZEROS).unwrap();
        assert!(b.scope("0.linear").add("weight", &[1], Init::ZEROS).is_err());
        assert_eq!(store.names().collect::<Vec<_>>(), ["0.linear.weight", "0.norm.running_mean"]);
        assert_eq!(store.count(), 6);
        let ones = Tensor::ones((2, 3), DType::F64, &Device::Cpu).unwrap();
        store.set("0.linear.weight", &ones).unwrap();
        assert_eq!(store.get("0.linear.weight").unwrap().var.sum_all().unwrap().to_scalar::<f32>().unwrap(), 6.0);
        let e = store.set("0.linear.weigth", &ones).unwrap_err();
        assert!(e.to_string().contains("did you mean `0.linear.weight`?"), "{e}");
        assert!(store.set("0.norm.running_mean", &ones).unwrap_err().to_string().contains("[2], not [2, 3]"));
    }

    #[test]
    fn a_state_is_taken_back_by_a_store_of_the_same_shapes_alone() {
        let build = |width: usize, seed: u64| {
            let mut store = ParamStore::new(&Device::Cpu, DType::F32);
            store.builder(&mut stream(seed, &[])).add("w", &[width, 2], Init::Normal(0.0, 1.0)).unwrap();
            store
        };
        let (from, to) = (build(3, 0), build(3, 1));
        let state = from.state(serde_json::json!({"width": 3})).unwrap();
        assert_ne!(to.state(serde_json::json!({"width": 3})).unwrap(), state);
        to.restore(&state).unwrap();
        assert_eq!(to.state(serde_json::json!({"width": 3})).unwrap(), state);
        let e = build(4, 0).restore(&state).unwrap_err();
        assert!(e.to_string().contains("`w` has shape [3, 2], wanted [4, 2]"), "{e}");
    }
}
