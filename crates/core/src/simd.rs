//! Which of the processor's vector instructions our own kernels use.
//!
//! The choice is made once, when the program starts, and is the only thing that a process shares: it stands for the processor
//! itself, of which there is one. Handed through every loop of every kernel it would be in every signature and change in
//! none of them. What depends on it says so: provenance names it, and [`kind`] puts it into keys where it changes bits.

use std::sync::OnceLock;

use crate::env::variable;
use crate::{Choice, Device, Error, Result};

crate::choices! {
    /// The instructions of one kind, narrowest first. AVX2 and AVX-512 give the same bits, since both add each sum up in one
    /// order with fused products; portable code rounds products, too, and differs in the last bits.
    pub enum Simd {
        /// What every processor has.
        Portable = "portable",
        /// AVX2 and FMA.
        Avx2 = "avx2",
        /// AVX-512 F, VL, DQ and BW.
        Avx512 = "avx512",
    }
}

static CHOSEN: OnceLock<Simd> = OnceLock::new();

impl Simd {
    /// Those that this processor has, narrowest first.
    pub fn available() -> &'static [Simd] {
        let count = Simd::ALL.iter().take_while(|s| s.is_there()).count();
        &Simd::ALL[..count]
    }

    fn is_there(self) -> bool {
        match self {
            Simd::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Simd::Avx2 => std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Simd::Avx512 => {
                std::is_x86_feature_detected!("avx512f")
                    && std::is_x86_feature_detected!("avx512vl")
                    && std::is_x86_feature_detected!("avx512dq")
                    && std::is_x86_feature_detected!("avx512bw")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Simd::Avx2 | Simd::Avx512 => false,
        }
    }

    /// What `word` names, on this processor.
    ///
    /// # Errors
    /// Where there is no such word, or the processor lacks it.
    pub fn named(word: &str) -> Result<Simd> {
        let has = Simd::available();
        let known = Simd::from_word(word)
            .ok_or_else(|| Error::Config(format!("--simd wants one of {}, not `{word}`", Simd::WORDS.join(", "))))?;
        if has.contains(&known) {
            return Ok(known);
        }
        let has: Vec<_> = has.iter().map(|s| s.word()).collect();
        Err(Error::Config(format!("this processor has no `{word}`; it has {}", has.join(", "))))
    }

    /// Makes the choice: what is `given`, or else what `$ZSAD_SIMD` names, or else the widest. To be called before any
    /// kernel runs.
    ///
    /// # Errors
    /// As [`Simd::named`]; and where another choice was made before.
    pub fn choose(given: Option<Simd>) -> Result<Simd> {
        let wanted = match given {
            Some(given) => Simd::named(given.word())?,
            None => asked()?,
        };
        let chosen = *CHOSEN.get_or_init(|| wanted);
        if chosen == wanted {
            return Ok(chosen);
        }
        Err(Error::Config(format!("the kernels use `{chosen}` already, not `{wanted}`")))
    }

    /// The choice. Where nobody made it, as in a library or a test, `$ZSAD_SIMD` or the widest.
    ///
    /// # Panics
    /// Where nobody made it and `$ZSAD_SIMD` names nothing that the processor has.
    #[inline]
    pub fn current() -> Simd {
        // The program checks the variable when it starts; a kernel has nobody to tell.
        *CHOSEN.get_or_init(|| asked().unwrap_or_else(|e| panic!("ZSAD_SIMD: {e}")))
    }
}

/// What the environment asks for.
fn asked() -> Result<Simd> {
    match variable("ZSAD_SIMD") {
        Some(word) => Simd::named(&word.to_string_lossy()),
        None => Ok(Simd::available().last().copied().unwrap_or(Simd::Portable)),
    }
}

/// The kind of device, as keys know it: what promises the same bits. The processor with portable kernels is one of its own.
pub fn kind(device: Device) -> String {
    match (device, Simd::current()) {
        (Device::Cpu | Device::Composed, Simd::Portable) => format!("{}, portable", device.kind()),
        _ => device.kind().into(),
    }
}

/// Runs `f` compiled for the vector instructions that were chosen. `f` and what it calls must be `inline(always)`.
#[inline]
pub fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    match Simd::current() {
        // SAFETY: what is chosen the processor has.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => unsafe { avx512(f) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => unsafe { avx2(f) },
        _ => f(),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
unsafe fn avx512<R>(f: impl FnOnce() -> R) -> R {
    f()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2<R>(f: impl FnOnce() -> R) -> R {
    f()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_processor_lacks_is_refused_with_what_it_has() {
        assert_eq!(Simd::named("portable").unwrap(), Simd::Portable);
        assert!(Simd::named("sse").unwrap_err().to_string().contains("portable, avx2, avx512, not `sse`"));
        for simd in Simd::ALL {
            let named = Simd::named(simd.word());
            match Simd::available().contains(simd) {
                true => assert_eq!(named.unwrap(), *simd),
                false => assert!(named.unwrap_err().to_string().contains("it has portable")),
            }
        }
    }

    #[test]
    fn a_choice_is_made_once() {
        let chosen = Simd::choose(None).unwrap();
        assert_eq!((Simd::current(), Simd::choose(Some(chosen)).unwrap()), (chosen, chosen));
        for other in Simd::available().iter().filter(|s| **s != chosen) {
            assert!(Simd::choose(Some(*other)).unwrap_err().to_string().contains("already"));
        }
    }
}
