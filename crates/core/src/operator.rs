//! The operations that trained networks are made of, and how each is computed on a device.
//!
//! A layer learns it when it is built, from [`Operator::on`], which has an answer for every operator and every device: one
//! that is missing does not compile. So what a method needs, and what a device lacks a kernel for, is known before anything
//! runs.

use crate::{Choice, Device};

crate::choices! {
    /// An operation, forward and backward.
    pub enum Operator {
        /// A fully connected layer.
        Linear = "linear",
        /// A 3×3 convolution.
        Conv2d = "conv2d",
        /// Normalisation, by whatever statistics, with gain, offset and ReLU.
        Norm = "norm",
        /// Max-pool or mean over space, as part of a convolutional network.
        Pool = "pool",
        /// The affine coupling of a normalizing flow.
        Coupling = "coupling",
        /// Squared distance of codes to a centre.
        Distance = "squared_distance",
        /// The contrastive loss of learned views.
        Contrastive = "contrastive_loss",
        /// Adam's update.
        Adam = "adam",
        /// Whatever a method computes for itself from candle's operations, such as its loss.
        Own = "own",
    }
}

crate::choices! {
    /// How an operation is computed.
    pub enum Implementation {
        /// By a kernel of our own, on the processor.
        Fused = "fused",
        /// By candle's own operations, one after the other: the same mathematics, and other last bits.
        Composed = "composed",
    }
}

impl Operator {
    /// How it is computed on `device`.
    pub fn on(self, device: Device) -> Implementation {
        match (device, self) {
            (Device::Cpu, Operator::Own) | (Device::Composed | Device::Cuda(_), _) => Implementation::Composed,
            (
                Device::Cpu,
                Operator::Linear
                | Operator::Conv2d
                | Operator::Norm
                | Operator::Pool
                | Operator::Coupling
                | Operator::Distance
                | Operator::Contrastive
                | Operator::Adam,
            ) => Implementation::Fused,
        }
    }
}

/// Some operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Operators(u16);

impl Operators {
    /// None.
    pub const NONE: Operators = Operators(0);

    /// These.
    pub const fn of(operators: &[Operator]) -> Self {
        let (mut all, mut i) = (0, 0);
        while i < operators.len() {
            all |= 1 << operators[i] as u16;
            i += 1;
        }
        Operators(all)
    }

    /// These and `others`.
    pub const fn and(self, others: &[Operator]) -> Self {
        Operators(self.0 | Operators::of(others).0)
    }

    /// Whether `operator` is one of them.
    pub fn contains(self, operator: Operator) -> bool {
        self.0 & Operators::of(&[operator]).0 != 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Operator> {
        Operator::ALL.iter().copied().filter(move |&o| self.contains(o))
    }
}

/// Where a method computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Placement {
    /// Whether it looks at features of a frozen network, which are always computed on the processor.
    pub features: bool,
    /// What it computes on the device that was asked for; none: all of it stays on the processor.
    pub operators: Operators,
}

impl Placement {
    /// The device that it uses where `asked` was asked for: what its bits depend on.
    pub fn device(self, asked: Device) -> Device {
        if self.operators == Operators::NONE { Device::Cpu } else { asked }
    }

    /// In words, a line each: what is computed how on which device.
    pub fn describe(self) -> Vec<String> {
        if self.operators == Operators::NONE {
            return vec!["computes on the processor, whatever --device says".to_owned()];
        }
        let mut lines = Vec::new();
        if self.features {
            lines.push("features of the frozen network: on the processor, whatever --device says".to_owned());
        }
        let words = |on_cpu: Implementation| -> Vec<_> {
            self.operators.iter().filter(|o| o.on(Device::Cpu) == on_cpu).map(Choice::word).collect()
        };
        for &on_cpu in Implementation::ALL {
            let words = words(on_cpu).join(", ");
            if !words.is_empty() {
                // No operator has a kernel of ours on a GPU.
                let on_gpu = Implementation::Composed;
                lines.push(format!("{words}: on --device (cpu: {on_cpu}; cuda: {on_gpu})"));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        let some = Operators::of(&[Operator::Linear]).and(&[Operator::Own, Operator::Linear]);
        assert_eq!(some.iter().collect::<Vec<_>>(), [Operator::Linear, Operator::Own]);
        assert!(some.contains(Operator::Own) && !some.contains(Operator::Norm));
        assert_eq!(Operators::of(Operator::ALL).iter().collect::<Vec<_>>(), Operator::ALL);
    }

    #[test]
    fn only_the_processor_has_kernels() {
        for &operator in Operator::ALL {
            let fused = operator.on(Device::Cpu) == Implementation::Fused;
            assert_eq!(fused, operator != Operator::Own, "{operator}");
            for device in [Device::Composed, Device::Cuda(0)] {
                assert_eq!(operator.on(device), Implementation::Composed, "{operator}");
            }
        }
    }

    #[test]
    fn what_has_no_operators_stays_on_the_processor_and_says_so() {
        let classical = Placement::default();
        assert_eq!(classical.device(Device::Cuda(1)), Device::Cpu);
        assert_eq!(classical.describe(), ["computes on the processor, whatever --device says"]);
        let trained = Placement { features: true, operators: Operators::of(&[Operator::Linear, Operator::Own]) };
        assert_eq!(trained.device(Device::Cuda(1)), Device::Cuda(1));
        assert_eq!(
            trained.describe(),
            [
                "features of the frozen network: on the processor, whatever --device says",
                "linear: on --device (cpu: fused; cuda: composed)",
                "own: on --device (cpu: composed; cuda: composed)",
            ]
        );
    }
}
