//! The manifests that are built in.

/// A manifest's name and text, from the file of that name.
macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../manifests/", $name, ".yaml")))),*]
    };
}

/// All of them, sorted by name.
pub(super) const BUILT_IN: &[(&str, &str)] = built_in!["cifar100", "mnist", "omniglot"];
