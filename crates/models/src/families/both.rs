//! Parameters of a family beside those of its method.

use zsad_core::params::{Declaration, Given, Object, Param};
use zsad_core::{ParamSet, ParamSpec};

/// The parameters of `A`, and then those of `B`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Both<A, B>(pub A, pub B);

impl<A: Param, B: Param> Param for Both<A, B> {
    fn declare(&self, _: Declaration, out: &mut Vec<ParamSpec>) {
        self.0.declare(Declaration::default(), out);
        self.1.declare(Declaration::default(), out);
    }

    fn read(&mut self, _: &str, given: &Given) {
        self.0.read("", given);
        self.1.read("", given);
    }

    fn write(&self, _: &str, out: &mut Object) {
        self.0.write("", out);
        self.1.write("", out);
    }
}

impl<A: ParamSet, B: ParamSet> ParamSet for Both<A, B> {}
