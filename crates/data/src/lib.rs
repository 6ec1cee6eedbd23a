//! Data sets of zsad: one file each, file formats, corruptions and the sampler of tasks and test batches.
