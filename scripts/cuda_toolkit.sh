# Source me from the repository's root: . scripts/cuda_toolkit.sh
# A CUDA 13.0 compiler from PyPI's wheels, and libraries to link against, for building the `cuda` feature on a machine that has
# neither CUDA nor a GPU. Wants python3 with venv, a C compiler and the network, once: 100 MB to fetch, 300 MB on disk, in
# $ZSAD_CUDA (default .cuda). Exports CUDA_HOME, PATH, LIBRARY_PATH, CUDA_COMPUTE_CAP and CARGO_BUILD_TARGET.
#
# All five wheels are named: pip would else take newer ones of those that nvcc wants, whose PTX its own assembler refuses. 13.0 is
# the oldest line of wheels with a whole compiler, and what it makes wants driver 580 or newer.
zsad_cuda=${ZSAD_CUDA:-$PWD/.cuda}
if [ ! -x "$zsad_cuda/bin/python" ]; then
    python3 -m venv "$zsad_cuda"
    "$zsad_cuda/bin/pip" install --quiet --no-cache-dir \
        nvidia-cuda-nvcc==13.0.\* nvidia-cuda-crt==13.0.\* nvidia-cuda-cccl==13.0.\* nvidia-cuda-runtime==13.0.\* nvidia-nvvm==13.0.\*
fi
CUDA_HOME=$(echo "$zsad_cuda"/lib/python3.*/site-packages/nvidia/cu13)
# Every later GPU compiles PTX of 8.0 for itself; PTX of 9.0 and up is for one generation alone.
CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-80}
# Without it check and build take the kernels for different ones and compile all of them twice.
CARGO_BUILD_TARGET=x86_64-unknown-linux-gnu
PATH=$CUDA_HOME/bin:$PATH

# No wheel has the driver's library, and candle links to it and to cuBLAS, cuRAND and NVRTC: at link time stand-ins do. CUDA's
# runtime is the real one, and linked in.
zsad_link=$zsad_cuda/link
if [ ! -e "$zsad_link/libcudart.a" ]; then
    scripts/cuda_stand_ins.sh "$zsad_link"
    ln -sf "$CUDA_HOME/lib/libcudart_static.a" "$zsad_link/libcudart.a"
fi
LIBRARY_PATH=$zsad_link${LIBRARY_PATH:+:$LIBRARY_PATH}
export CUDA_HOME CUDA_COMPUTE_CAP CARGO_BUILD_TARGET PATH LIBRARY_PATH
