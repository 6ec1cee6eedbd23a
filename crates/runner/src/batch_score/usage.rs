//! Whether the options of `zsad score` go together.

use zsad_core::{Error, Given, Method, MethodDef, Shots};

/// What was asked for.
pub struct Usage<'a> {
    /// The method.
    pub def: &'a dyn MethodDef,
    /// The same with its parameters.
    pub method: &'a dyn Method,
    /// The parameters that were given.
    pub given: &'a Given,
    /// Whether a trained model was.
    pub checkpoint: bool,
    /// Whether references were.
    pub references: bool,
}

impl Usage<'_> {
    /// Refuses options that contradict each other, that lack another, or that change nothing.
    ///
    /// # Errors
    /// [`Error::Config`] that says which, and what to do.
    pub fn check(&self) -> Result<(), Error> {
        let (name, none) = (self.def.spec().name, Shots::Number(0));
        let wrong = |what: &str, hint: &str| Err(Error::Config(format!("{name} {what}; hint: {hint}")));
        // The method fitted in another way, if it can be.
        let fitted = |on: &str| {
            let mut given = self.given.clone();
            given.insert("fit".into(), on.into());
            self.def.configure(&given).ok()
        };
        if self.checkpoint && !self.method.learns() && !fitted("pool").is_some_and(|m| m.learns()) {
            return wrong("takes no trained model", "drop --checkpoint");
        }
        if self.method.learns() && !self.checkpoint {
            let hint = "give --checkpoint; `zsad run` stores models as results/store/<key>/model.safetensors";
            return wrong("is a trained method", hint);
        }
        if self.method.shots() != none && !self.references {
            let in_batch = fitted("batch").is_some_and(|m| m.shots() == none);
            let or = if in_batch { ", or fit it to the batch itself with --param fit=batch" } else { "" };
            let hint = format!("give some with --references{or}");
            return wrong("compares with normal references of the target", &hint);
        }
        if self.method.shots() == none && self.references {
            return wrong("looks at the batch alone", "drop --references");
        }
        match self.given.keys().find_map(|key| Some((key, self.unused(key)?))) {
            Some((key, why)) => Err(Error::Config(format!("{name}: parameter `{key}` has no effect here: {why}"))),
            None => Ok(()),
        }
    }

    /// Why a parameter that was given changes nothing, if it does not.
    fn unused(&self, key: &str) -> Option<&'static str> {
        match key {
            _ if self.checkpoint => Some("a trained model keeps its own; hint: drop it"),
            "shots" if !self.references => Some("there are no references; hint: drop it"),
            "shots" => Some("all references are used; hint: drop it, or give others with --references"),
            "pool_samples" if !self.method.learns() => Some("the method is fitted to the batch; hint: drop it"),
            _ => None,
        }
    }
}
