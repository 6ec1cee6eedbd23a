//! The sentences that describe an object, whole and damaged.

/// The object without a fault; `{}` is its name.
const WHOLE: [&str; 7] =
    ["{}", "flawless {}", "perfect {}", "unblemished {}", "{} without flaw", "{} without defect", "{} without damage"];
/// With one.
const DAMAGED: [&str; 4] = ["damaged {}", "{} with flaw", "{} with defect", "{} with damage"];
/// The sentence around it. One stands twice, as in the published code.
const TEMPLATES: [&str; 21] = [
    "a cropped photo of the {}.",
    "a close-up photo of a {}.",
    "a close-up photo of the {}.",
    "a bright photo of a {}.",
    "a bright photo of the {}.",
    "a dark photo of the {}.",
    "a dark photo of a {}.",
    "a jpeg corrupted photo of the {}.",
    "a jpeg corrupted photo of the {}.",
    "a blurry photo of the {}.",
    "a blurry photo of a {}.",
    "a photo of a {}.",
    "a photo of the {}.",
    "a photo of a small {}.",
    "a photo of the small {}.",
    "a photo of a large {}.",
    "a photo of the large {}.",
    "a photo of the {} for visual inspection.",
    "a photo of a {} for visual inspection.",
    "a photo of the {} for anomaly detection.",
    "a photo of a {} for anomaly detection.",
];

/// All sentences of an object, whole and then damaged.
pub(super) fn sentences(object: &str) -> [Vec<String>; 2] {
    let all = |states: &[&str]| {
        let stated = states.iter().map(|state| state.replace("{}", object));
        stated.flat_map(|stated| TEMPLATES.map(|template| template.replace("{}", &stated))).collect()
    };
    [all(&WHOLE), all(&DAMAGED)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_stands_in_every_sentence() {
        let [whole, damaged] = sentences("metal nut");
        assert_eq!((whole.len(), damaged.len()), (147, 84));
        assert_eq!(whole[0], "a cropped photo of the metal nut.");
        assert_eq!(damaged[83], "a photo of a metal nut with damage for anomaly detection.");
    }
}
