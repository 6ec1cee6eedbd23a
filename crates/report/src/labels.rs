//! What a method is called beside its namesakes, and in which order they stand.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Parameters that a label says at their common values, too.
const SAID: usize = 3;

/// Labels of (method, version, params): the name, with the parameters (and version) in which namesakes differ. Where these
/// are more than a few, as where one thing is changed at a time, what most namesakes have in common is left out.
pub fn labels(methods: &[(&str, u32, &str)]) -> Vec<String> {
    let one = |&(name, version, params): &(&str, u32, &str)| {
        let namesakes: Vec<_> = methods.iter().filter(|o| o.0 == name).collect();
        let own = object(params);
        let others: Vec<_> = namesakes.iter().map(|o| object(o.2)).collect();
        let keys: BTreeSet<&String> = others.iter().flat_map(|o| o.keys()).collect();
        let differs = |k: &&&String| others.iter().any(|o| o.get(**k) != own.get(**k));
        let differing: Vec<&&String> = keys.iter().filter(differs).collect();
        let common = |k: &String| 2 * others.iter().filter(|o| o.get(k) == own.get(k)).count() > others.len();
        let said = differing.iter().filter(|k| differing.len() <= SAID || !common(k));
        let said: Vec<_> = said.map(|k| format!("{k}={}", value(own.get(**k)))).collect();
        let version = if namesakes.iter().any(|o| o.1 != version) { format!("@{version}") } else { String::new() };
        let params = if said.is_empty() { String::new() } else { format!(" ({})", said.join(", ")) };
        format!("{name}{version}{params}")
    };
    methods.iter().map(one).collect()
}

fn value(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "auto".into(),
        Some(Value::String(s)) => s.clone(),
        Some(other) => other.to_string(),
    }
}

/// The order of two (method, version, params), params in canonical JSON: name by name, numbers by their size.
pub(crate) fn compare(a: (&str, u32, &str), b: (&str, u32, &str)) -> Ordering {
    let numbers = |a: &Value, b: &Value| Some(a.as_f64()?.total_cmp(&b.as_f64()?));
    let values = |a: &Value, b: &Value| numbers(a, b).unwrap_or_else(|| a.to_string().cmp(&b.to_string()));
    let params = || {
        let (a, b) = (object(a.2), object(b.2));
        let differ = a.iter().zip(&b).map(|((ka, va), (kb, vb))| ka.cmp(kb).then_with(|| values(va, vb)));
        differ.fold(Ordering::Equal, Ordering::then).then(a.len().cmp(&b.len()))
    };
    (a.0, a.1).cmp(&(b.0, b.1)).then_with(params)
}

fn object(params: &str) -> Map<String, Value> {
    serde_json::from_str(params).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_say_what_namesakes_differ_in_and_nothing_else() {
        let found = labels(&[
            ("knn", 1, r#"{"fit":"batch","k":5}"#),
            ("knn", 1, r#"{"fit":"batch","k":9}"#),
            ("lof", 1, r#"{"k":20}"#),
            ("acr", 1, r#"{"lr":null,"steps":3}"#),
            ("acr", 2, r#"{"lr":0.5}"#),
        ]);
        assert_eq!(found, ["knn (k=5)", "knn (k=9)", "lof", "acr@1 (lr=auto, steps=3)", "acr@2 (lr=0.5, steps=auto)"]);
    }

    #[test]
    fn one_change_at_a_time_is_all_that_a_label_says() {
        let params = |changed: &str| {
            let value = |name| if name == changed { 1 } else { 0 };
            ["a", "b", "c", "d"].map(|name| format!(r#""{name}":{}"#, value(name))).join(",")
        };
        let params = ["", "a", "b", "c", "d"].map(|changed| format!("{{{}}}", params(changed)));
        let found = labels(&params.each_ref().map(|p| ("resad", 1, p.as_str())));
        assert_eq!(found, ["resad", "resad (a=1)", "resad (b=1)", "resad (c=1)", "resad (d=1)"]);
    }

    #[test]
    fn namesakes_stand_in_the_order_of_their_numbers() {
        let mut params = [r#"{"k":100}"#, r#"{"k":30}"#, r#"{"fit":"pool","k":3}"#, r#"{"k":0.25}"#, r#"{"k":1000}"#];
        params.sort_by(|a, b| compare(("knn", 1, a), ("knn", 1, b)));
        assert_eq!(
            params,
            [r#"{"fit":"pool","k":3}"#, r#"{"k":0.25}"#, r#"{"k":30}"#, r#"{"k":100}"#, r#"{"k":1000}"#]
        );
        assert_eq!(compare(("acr", 9, params[0]), ("knn", 1, params[1])), Ordering::Less);
        assert_eq!(compare(("knn", 10, params[0]), ("knn", 9, params[1])), Ordering::Greater);
    }
}
