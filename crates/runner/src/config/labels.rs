//! What results call methods: `as`, which tells a person's own from each other.

use super::MethodChoice;
use super::fields::text;
use super::problem::{Pos, Problems};
use super::yaml::Node;
use crate::registry::Registry;

/// Characters of a label: it stands in tables and legends.
const MOST: usize = 40;

/// The label that `node` gives to the method called `name`; its name where there is none, or it is no label.
pub fn read(node: Option<&Node>, name: &str, registry: &Registry, problems: &mut Problems) -> String {
    let Some((node, label)) = node.and_then(|node| Some((node, text(node, "`as`", problems)?))) else {
        return name.to_owned();
    };
    let fits = |c: char| c.is_alphanumeric() || " _-+.".contains(c);
    if label.trim() != label || label.is_empty() || label.chars().count() > MOST || !label.chars().all(fits) {
        let hint = format!("use letters, digits, blanks inside, and _ - + ., at most {MOST}");
        problems.add(node.pos, format!("a method cannot be called `{label}`"), hint);
    } else if label != name && registry.method(&label).is_some() {
        problems.add(node.pos, format!("`{label}` is the name of another method"), "give it a name of its own");
    } else {
        return label;
    }
    name.to_owned()
}

/// Two methods under one given label could not be told apart, and one method under two has its results once.
pub fn check(before: &[MethodChoice], new: &[MethodChoice], pos: Pos, problems: &mut Problems) {
    let Some(first) = new.first() else { return };
    let is_given = |m: &MethodChoice| m.label != m.def.spec().name;
    let taken = before.iter().any(|m| m.label == first.label && (is_given(m) || is_given(first)));
    if taken {
        let message = format!("another method is called `{}` already", first.label);
        problems.add(pos, message, "give each its own name in the results, such as `as: kde`");
        return;
    }
    let what = |m: &MethodChoice| (m.def.spec().name, m.method.values());
    if let Some(same) = before.iter().find(|b| b.label != first.label && new.iter().any(|n| what(n) == what(b))) {
        let message = format!("`{}` is the same as `{}`: method and parameters", first.label, same.label);
        problems.add(pos, message, "change a parameter, or leave one of them out");
    }
}
