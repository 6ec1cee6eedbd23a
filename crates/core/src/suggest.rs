//! "Did you mean …?" for names that a person typed.

/// The candidate nearest to `name`, if one is near enough to be worth suggesting.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    candidates
        .into_iter()
        .map(|c| (strsim::normalized_damerau_levenshtein(&name, &c.to_lowercase()), c))
        .filter(|(similarity, _)| *similarity >= 0.5)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, c)| c)
}

/// The candidates of which `name` is a part, between underscores.
fn related<'a>(name: &str, candidates: &[&'a str]) -> Vec<&'a str> {
    let wanted = format!("_{}_", name.to_lowercase());
    candidates.iter().copied().filter(|c| format!("_{c}_").to_lowercase().contains(&wanted)).collect()
}

/// `did you mean `x`?`, all that `name` is a part of where there are such, or the list of candidates where none is near.
pub fn hint<S: AsRef<str>>(name: &str, candidates: impl IntoIterator<Item = S>) -> String {
    let candidates: Vec<S> = candidates.into_iter().collect();
    let candidates: Vec<&str> = candidates.iter().map(AsRef::as_ref).collect();
    let related = related(name, &candidates);
    if !name.is_empty() && !related.is_empty() {
        return format!("did you mean {}?", related.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(" or "));
    }
    match nearest(name, candidates.iter().copied()) {
        Some(c) => format!("did you mean `{c}`?"),
        None => format!("one of: {}", candidates.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_word_and_nonsense_lists_all() {
        assert_eq!(nearest("acr_dsvd", ["acr_dsvdd", "knn"]), Some("acr_dsvdd"));
        assert_eq!(hint("Mahalanobi", ["knn", "mahalanobis"]), "did you mean `mahalanobis`?");
        let acrs = hint("acr", ["aupr", "acr_dsvdd", "few_acr", "acronym"]);
        assert_eq!(acrs, "did you mean `acr_dsvdd` or `few_acr`?", "a whole word of a name");
        assert_eq!(hint("zzz", ["knn", "lof"]), "one of: knn, lof");
    }
}
