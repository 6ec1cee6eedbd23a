//! A trained model, as `zsad run` stored it or as the official ACR code did.

use std::path::Path;

use zsad_core::{
    Detector, Environment, Error, Method, MethodDef, ParamProblem, PictureGeometry, Preprocessing, Result, Shots,
};
use zsad_store::model;

use super::input;
use crate::executor::fit::restore;
use crate::library::given;
use crate::registry::Registry;

/// What a model file holds.
pub struct Trained {
    /// The detector.
    pub detector: Box<dyn Detector>,
    /// The references that it wants.
    pub shots: Shots,
    /// What its training learnt of a table's columns.
    pub preprocessing: Option<Preprocessing>,
    /// How the pictures that it knows became samples.
    pub pictures: Option<PictureGeometry>,
}

impl Trained {
    /// The model of `method` in a file.
    ///
    /// # Errors
    /// Where it is damaged, or that of another method or version.
    pub fn read(
        path: &Path,
        def: &dyn MethodDef,
        method: &dyn Method,
        registry: &Registry,
        env: &Environment,
    ) -> Result<Self> {
        let name = def.spec().name;
        let (detector, shots, preprocessing, said) = if input::is_official(path) {
            (method.import(path, env)?, method.shots(), None, None)
        } else {
            let model = model::load(path)?;
            if model.method != name {
                let message = format!("{}: a model of {}, which {name} cannot use", path.display(), model.method);
                return Err(Error::Config(format!("{message}; hint: --method {}", model.method)));
            }
            model.expect_method(path, name, def.spec().version)?;
            let own = def.configure(&given(&model.params)).map_err(|problems| ParamProblem::error(name, problems))?;
            (restore(registry, path, &model, env)?, own.shots(), model.preprocessing, model.pictures)
        };
        let pictures = input::trained_on(def.spec(), detector.as_ref(), said, path, registry);
        Ok(Trained { detector, shots, preprocessing, pictures })
    }
}
