//! Which method suits a batch: what `zsad score` says where none is named.

use zsad_core::Modality;

/// What was given, and which methods suit it; `references` is their number. The table of the README says the same.
pub fn methods(modality: &Modality, n: usize, references: usize) -> String {
    let counted = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    let (what, hint) = match (modality, references) {
        (Modality::Image { .. }, 0) => (
            "picture",
            "--method pca_residual, or musc, which takes longer, where most of the batch is normal: both make anomaly maps; \
             with some pictures known to be normal as --references, patchcore",
        ),
        (Modality::Image { .. }, 1) => {
            ("picture", "--method patchcore, or spade; with 4 references or more also padim")
        }
        (Modality::Image { .. }, _) => {
            ("picture", "--method patchcore, or padim and spade, which make anomaly maps too; gaussian_ad makes none")
        }
        (Modality::Tabular { .. }, 0) => {
            ("row", "--method knn, or mahalanobis and iforest, where most rows are normal")
        }
        (Modality::Tabular { .. }, _) => (
            "row",
            "--method knn, or mahalanobis and iforest, without --references: of rows the batch alone is looked at",
        ),
    };
    let beside = if references > 0 { format!(" and {}", counted(references, "reference")) } else { String::new() };
    format!("no method was named for {}{beside}; hint: {hint}", counted(n, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suggested_method_is_registered_and_takes_what_was_given() {
        let pictures = Modality::Image { channels: 3, height: 8, width: 8 };
        for (modality, references) in [(&pictures, 0), (&pictures, 1), (&pictures, 4), (&Modality::rows(3), 0)] {
            let said = methods(modality, 30, references);
            let named: Vec<_> = zsad_models::METHODS.iter().filter(|m| said.contains(m.spec().name)).collect();
            assert!(named.len() >= 2, "{said}");
            for method in named {
                assert!(method.spec().accepts.check(modality).is_ok(), "{said}: {}", method.spec().name);
            }
        }
        assert!(methods(&pictures, 30, 4).starts_with("no method was named for 30 pictures and 4 references; hint: "));
    }
}
