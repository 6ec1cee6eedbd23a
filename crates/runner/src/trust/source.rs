//! The data with labels that batches are drawn from, and which of its domains.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use zsad_core::{DatasetInfo, Error, Fold, Given, ParamProblem, Result, Standardise, suggest};
use zsad_store::FitRecord;

use crate::commands::note;
use crate::library::{DataSet, Library};
use crate::registry::Registry;

/// What was asked for.
pub struct Wanted<'a> {
    /// The data set; `None`: that of the trained model.
    pub dataset: Option<&'a str>,
    /// Its parameters.
    pub params: &'a [(String, Value)],
    /// Domains, by their names or their role; empty: all that may be drawn from.
    pub domains: &'a [String],
    /// The scale of a table without a trained model.
    pub standardise: Option<Standardise>,
    /// Whether there is a trained model.
    pub trained: bool,
    /// What the store says of it.
    pub record: Option<&'a FitRecord>,
}

impl Wanted<'_> {
    /// The data set, with the scale that a batch of one's own will have.
    ///
    /// # Errors
    /// [`Error::Config`] where none is named, or it cannot be read as the trained model's data were.
    pub fn data_set(&self, registry: &Registry, library: &Library) -> Result<Arc<DataSet>> {
        let Some(name) = self.dataset else {
            let Some(record) = self.record else {
                let why =
                    if self.trained { "the model says nothing of its data" } else { "no data to draw batches from" };
                return Err(Error::Config(format!("{why}; hint: give --dataset, see `zsad list datasets`")));
            };
            return library.get(&record.fit.data.name, &record.dataset_params);
        };
        let def = registry.expect_dataset(name)?;
        let mut params: Given = self.params.iter().cloned().collect();
        let scaled = def.params().iter().any(|p| p.name == "standardise");
        if self.record.is_some() && scaled {
            let what = format!("--dataset {name} beside a model of `zsad run` that was trained on a table");
            let hint = "leave --dataset out: the model's own data, as its training read them, are the default";
            return Err(Error::Config(format!("{what}; hint: {hint}")));
        }
        if scaled && !self.trained {
            let scale = self.standardise.unwrap_or(Standardise::None);
            params.insert("standardise".into(), scale.to_string().into());
        }
        let source = def.configure(&params).map_err(|problems| ParamProblem::error(name, problems))?;
        Ok(library.of(def.spec(), &source))
    }

    /// The number of the fold that the data are read as, and the domains to draw from: never one that the model was trained on,
    /// as far as that is known.
    ///
    /// # Errors
    /// [`Error::Config`] where a domain is not there, or was trained on.
    pub fn domains(&self, info: &DatasetInfo) -> Result<(usize, Vec<usize>)> {
        match self.record.filter(|record| record.fit.data.name == info.name) {
            Some(record) => {
                let fold = DataSet::fold(info, &record.fit.fold)?;
                Ok((fold, self.chosen(info, &info.folds[fold].meta_test)?))
            }
            None => {
                if self.trained && self.record.is_none() {
                    note(
                        "warning: nothing lies beside the model that says which domains it was trained on: their scores are \
                         better than others' will be; name the others with --domains",
                    );
                }
                Ok((0, self.chosen(info, &(0..info.domains.len()).collect::<Vec<_>>())?))
            }
        }
    }

    /// Of the `open` domains those that were asked for.
    fn chosen(&self, info: &DatasetInfo, open: &[usize]) -> Result<Vec<usize>> {
        let role = |wanted: fn(&Fold) -> &Vec<usize>| {
            let of: BTreeSet<usize> = info.folds.iter().flat_map(wanted).copied().collect();
            Ok(open.iter().copied().filter(|d| of.contains(d)).collect())
        };
        match self.domains.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => return Ok(open.to_vec()),
            ["meta_train"] => return role(|fold| &fold.meta_train),
            ["meta_test"] => return role(|fold| &fold.meta_test),
            _ => {}
        }
        let number = |name: &String| {
            let Some(found) = info.domains.iter().position(|d| d.name == *name) else {
                let hint = suggest::hint(name, info.domains.iter().map(|d| d.name.as_str()));
                return Err(Error::Config(format!("{}: there is no domain `{name}`; hint: {hint}", info.name)));
            };
            if !open.contains(&found) {
                let names: Vec<&str> = open.iter().map(|&d| info.domains[d].name.as_str()).collect();
                let why = "the model was trained on it, and its scores are better there than they will be";
                return Err(Error::Config(format!("domain `{name}`: {why}; hint: choose of {}", names.join(", "))));
            }
            Ok(found)
        };
        self.domains.iter().map(number).collect()
    }
}
