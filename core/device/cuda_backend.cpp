#include "core/device/cuda_backend.h"

#include <dlfcn.h>

#include "core/device/torch_headers.h"

namespace wkvq {

int load_cuda_backend() {
#ifdef WKVQ_WITH_CUDA
  static void* const library = dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL);
  if (!library || !at::hasCUDA()) return 0;
  return static_cast<int>(at::detail::getCUDAHooks().deviceCount());
#else
  return 0;
#endif
}

}  // namespace wkvq
