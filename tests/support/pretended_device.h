#pragma once

#include <c10/core/Device.h>

namespace wkvq::test {

/// A device that is none: tensors on it lie in memory of the host that nobody but copies, the
/// emulated kernels and this backend may touch (anything else ends the program with SIGSEGV), their
/// operations are the CPU's on copies, and one that mixes them with tensors of the CPU throws as on
/// a GPU. So host code that leaves a tensor on the wrong device, or reads device memory, fails
/// without a GPU. Registered with libtorch at the first call.
c10::Device pretended_device();

/// Bytes that tensors on it hold now, and the most that they may hold (-1: no limit); beyond it an
/// allocation throws c10::OutOfMemoryError.
int64_t pretended_bytes();
void limit_pretended_bytes(int64_t most);

}  // namespace wkvq::test
