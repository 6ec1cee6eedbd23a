//! What objects are called, and the directions of their texts.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use zsad_backbones::Backbone;
use zsad_backbones::clip::{TextTower, Tokenizer};
use zsad_core::{Environment, Error, Result};

use super::prompts::sentences;
use crate::families::features::{Selected, View};
use crate::families::prompts::words_file;

/// The directions of the texts of an object, whole and damaged, of unit length.
pub(super) type Directions = [Vec<f64>; 2];

/// Those of all domains of a batch.
pub(super) struct Texts(BTreeMap<u32, Arc<Directions>>);

impl Texts {
    /// Asks the text tower once for each object and environment.
    pub fn of(selected: &Selected, names: &[String], batch: &View) -> Result<Self> {
        let (source, env) = (batch.batch().source(), batch.batch().env());
        let mut texts = BTreeMap::new();
        for id in batch.ids() {
            if let Entry::Vacant(entry) = texts.entry(id.domain) {
                let object = object(source.domain_name(id.domain), names);
                entry.insert(directions(selected, &object, env)?);
            }
        }
        Ok(Texts(texts))
    }

    /// Those of one domain.
    pub fn of_domain(&self, domain: u32) -> Result<&Directions> {
        self.0.get(&domain).map(Arc::as_ref).ok_or_else(|| Error::failed("a domain without texts"))
    }
}

/// What the object of a domain is called: as `names` has it, else the last part of the domain's name, with spaces for underscores.
fn object(domain: &str, names: &[String]) -> String {
    let last = domain.rsplit('/').next().unwrap_or(domain);
    let named = names.iter().filter_map(|name| name.split_once('=')).find(|(of, _)| [domain, last].contains(of));
    named.map_or_else(|| last.replace('_', " "), |(_, words)| words.to_owned())
}

fn directions(selected: &Selected, object: &str, env: &Environment) -> Result<Arc<Directions>> {
    let kind = selected.backbone;
    let path = Backbone::weights_file(kind, &env.data)?;
    let words = words_file(kind, &env.data)?;
    env.memo.get_or_make(&format!("{}: texts of {object}", path.display()), || {
        let tokenizer = env.memo.get_or_make(&words.to_string_lossy(), || Tokenizer::read(&words))?;
        let tower = env.memo.get_or_make(&format!("{}: text tower", path.display()), || {
            let family = kind.family().ok_or_else(|| Error::failed("texts are of vision transformers alone"))?;
            TextTower::from_tensors(family, &zsad_nn::weights::read(&path)?, &path)
        })?;
        let direction = |sentences: &[String]| -> Result<Vec<f64>> {
            let tokens: Vec<Vec<u32>> = sentences.iter().map(|sentence| tokenizer.tokens(sentence)).collect();
            let vectors = tower.vectors(&tokens)?;
            let mut sum = vec![0f64; tower.embedding()];
            for vector in vectors.chunks_exact(sum.len()) {
                sum.iter_mut().zip(vector).for_each(|(sum, v)| *sum += f64::from(*v));
            }
            let length = sum.iter().map(|v| v * v).sum::<f64>().sqrt();
            Ok(sum.into_iter().map(|v| v / if length > 0.0 { length } else { 1.0 }).collect())
        };
        let [whole, damaged] = sentences(object);
        Ok([direction(&whole)?, direction(&damaged)?])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_called_as_their_domains_unless_they_are_named() {
        let names = ["pcb=printed circuit board".to_owned(), "a/b_c=thing".to_owned()];
        assert_eq!(object("industrial/pcb", &names), "printed circuit board");
        assert_eq!(object("mvtec/metal_nut", &names), "metal nut");
        assert_eq!((object("a/b_c", &names), object("b_c", &names)), ("thing".into(), "b c".into()));
    }
}
