//! From the device that a person names to candle's.

use candle_core::Device;

/// Opens `device`.
///
/// # Errors
/// [`zsad_core::Error::Config`] where CUDA was asked for and this program was built without it, or no GPU answers.
pub fn open(device: zsad_core::Device) -> zsad_core::Result<Device> {
    match device {
        zsad_core::Device::Cpu | zsad_core::Device::Composed => Ok(Device::Cpu),
        zsad_core::Device::Cuda(_) if !cfg!(feature = "cuda") => Err(zsad_core::Error::Config(format!(
            "device {device}: this program was built without CUDA; build it with `--features cuda`, or use `cpu`"
        ))),
        zsad_core::Device::Cuda(n) => Device::new_cuda(n).map_err(|e| {
            // What follows the first line is candle's backtrace.
            let said = e.to_string();
            let said = said.lines().next().unwrap_or_default();
            let what = format!("device {device} cannot be opened: {said}; is a GPU and its driver there?");
            zsad_core::Error::Config(what)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_opens() {
        assert!(open(zsad_core::Device::Cpu).unwrap().is_cpu());
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn cuda_without_the_feature_says_how_to_get_it() {
        let e = open(zsad_core::Device::Cuda(0)).unwrap_err();
        assert!(e.to_string().contains("--features cuda"), "{e}");
    }
}
