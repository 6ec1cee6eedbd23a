//! Trained state of the methods on image features, written and read alike.

use std::path::Path;

use serde_json::Value;
use zsad_core::{Error, MethodSpec, Params, Result};
use zsad_nn::ParamStore;
use zsad_nn::checkpoint::{self, Checkpoint, CheckpointMeta, HostTensor};

/// Writes all of `store`; `network` is what is needed to build it again.
pub(crate) fn save(spec: &MethodSpec, params: &Params, network: Value, store: &ParamStore, path: &Path) -> Result<()> {
    let (method, method_version) = (spec.name.to_owned(), spec.version);
    let meta = CheckpointMeta { method, method_version, params: params.to_json(), network };
    let tensors = store.iter().map(|p| Ok((p.name.clone(), HostTensor::from_candle(&p.var)?)));
    checkpoint::save(path, &meta, &tensors.collect::<candle_core::Result<_>>().map_err(Error::failed)?)
}

/// A file that [`save`] wrote.
pub(crate) struct State {
    /// The parameters of the method that was trained.
    pub params: Params,
    file: Checkpoint,
    damaged: Box<dyn Fn(String) -> Error>,
}

impl State {
    /// Reads it.
    ///
    /// # Errors
    /// [`Error::Data`] where it is missing, damaged or of another method.
    pub fn read(spec: &MethodSpec, path: &Path) -> Result<Self> {
        let file = Checkpoint::load(path)?;
        file.expect_method(spec.name, spec.version)?;
        let named = path.to_owned();
        let damaged = Box::new(move |what: String| Error::data(&named, what, "delete it and train again"));
        let given =
            serde_json::from_value(file.meta.params.clone()).map_err(|e| damaged(format!("parameters: {e}")))?;
        let params = Params::validate(spec.params, &given)
            .map_err(|problems| damaged(problems.into_iter().map(|p| p.message).collect::<Vec<_>>().join("; ")))?;
        Ok(State { params, file, damaged })
    }

    /// Entry `name` of the network's description.
    ///
    /// # Errors
    /// [`Error::Data`] where it is missing or of another type.
    pub fn network<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T> {
        let value = self.file.meta.network.get(name).cloned().unwrap_or_default();
        serde_json::from_value(value).map_err(|e| (self.damaged)(format!("network, {name}: {e}")))
    }

    /// Gives `store` the values of the file, which must hold exactly its tensors.
    ///
    /// # Errors
    /// [`Error::Data`] where they differ in name or shape.
    pub fn restore(&self, store: &ParamStore) -> Result<()> {
        self.file.expect_tensors(store.iter().map(|p| (p.name.as_str(), p.var.dims())))?;
        for p in store.iter() {
            store.set(&p.name, &self.file.tensor(&p.name)?.to_candle(store.device()).map_err(Error::failed)?)?;
        }
        Ok(())
    }
}
