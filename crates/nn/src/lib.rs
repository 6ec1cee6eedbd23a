//! The candle layer of zsad: fast kernels, batch-statistics norm, initialisers, optimiser, checkpoints, backbones.
