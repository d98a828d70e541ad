#pragma once

namespace wkvq {

/// Loads libtorch's CUDA backend if this build has CUDA kernels. It is not linked: its relocations
/// alone cost some hundred megabytes of memory and a second, which runs on the CPU need not pay.
/// Call before the first use of a device. Returns the number of devices; 0 without CUDA.
int load_cuda_backend();

}  // namespace wkvq
