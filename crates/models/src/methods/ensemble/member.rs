//! A member of an ensemble, as it is written and as it runs.

use std::sync::Arc;

use serde_json::Value;
use zsad_core::{DatasetInfo, Fold, Given, Method, MethodDef, Result, suggest};

use crate::METHODS;

/// A method with its parameters.
pub(super) struct Member {
    def: &'static dyn MethodDef,
    pub method: Arc<dyn Method>,
}

impl Member {
    /// From `name key=value key=value`; the name may have its version behind it, `name@1`. A value is read as JSON where it is some,
    /// and else as a word.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let head = words.next().ok_or("a member has no name")?;
        let (name, version) = head.split_once('@').map_or((head, None), |(name, version)| (name, Some(version)));
        let known = || METHODS.iter().map(|m| m.spec().name);
        let def = METHODS.iter().find(|m| m.spec().name == name).copied();
        let def = def.ok_or_else(|| format!("there is no method `{name}`: {}", suggest::hint(name, known())))?;
        if let Some(version) = version.filter(|v| *v != def.spec().version.to_string()) {
            return Err(format!("`{name}` is version {} here, not {version}", def.spec().version));
        }
        if name == "ensemble" {
            return Err("an ensemble is no member of one".into());
        }
        let given = words.map(|word| {
            let (key, value) = word.split_once('=').ok_or_else(|| format!("`{word}` is no parameter, such as k=20"))?;
            Ok((key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))))
        });
        let given = given.collect::<Result<Given, String>>().map_err(|e| format!("{name}: {e}"))?;
        let method = def.configure(&given).map_err(|problems| {
            let messages: Vec<String> = problems.into_iter().map(|p| p.message).collect();
            format!("{name}: {}", messages.join("; "))
        })?;
        if method.learns() {
            return Err(format!("{name} trains, and an ensemble takes methods that do not"));
        }
        Ok(Member { def, method })
    }

    /// The method's name.
    pub fn name(&self) -> &'static str {
        self.def.spec().name
    }

    /// As [`Member::parse`] reads it, with version and all parameters. Values with white space do not survive; members have none.
    pub fn text(&self) -> String {
        let values = self.method.values();
        let given = values.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        let given: String = given.map(|(key, value)| format!(" {key}={value}")).collect();
        format!("{}@{}{given}", self.name(), self.def.spec().version)
    }

    /// The same with its parameters settled for the data.
    pub fn resolved(&self, info: &DatasetInfo, fold: &Fold) -> Result<Self> {
        self.def.spec().accepts.check(&info.modality).map_err(|e| e.at(self.name()))?;
        let method = self.method.resolve(info, fold).map_err(|e| e.at(self.name()))?;
        Ok(Member { def: self.def, method })
    }
}
