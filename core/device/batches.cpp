#include "core/device/batches.h"

#include "core/device/torch_headers.h"

namespace wkvq {

void for_each_batch(size_t count, at::Device device, const std::function<void(size_t)>& action) {
  const auto n = static_cast<int64_t>(count);
  const auto serial = [&](int64_t begin, int64_t end) {
    const at::NoGradGuard no_grad;
    for (int64_t i = begin; i < end; ++i) action(static_cast<size_t>(i));
  };
  if (device.is_cpu() && n >= at::get_num_threads()) {
    at::parallel_for(0, n, 1, serial);
  } else {
    serial(0, n);
  }
}

}  // namespace wkvq
