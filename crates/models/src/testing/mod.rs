//! The conformance suite: what every method must do, whatever it is.
