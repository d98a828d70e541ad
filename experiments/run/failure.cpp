#include "experiments/run/failure.h"

#include <c10/util/Exception.h>
#include <c10/util/Logging.h>
#include <fmt/format.h>

#include <new>

namespace wkvq {

namespace {

// libtorch's allocator of the CPU has no error type of its own.
constexpr const char* kCpuAllocator = "DefaultCPUAllocator";

}  // namespace

std::string failure_text(const std::exception& error) {
  const auto* torch = dynamic_cast<const c10::Error*>(&error);
  const std::string text = torch ? torch->what_without_backtrace() : error.what();
  const bool memory = dynamic_cast<const std::bad_alloc*>(&error) ||
                      dynamic_cast<const c10::OutOfMemoryError*>(&error) ||
                      text.find(kCpuAllocator) != std::string::npos;
  if (!memory) return text;
  return fmt::format(
      "out of memory ({}); expected at least what `wkvq plan` estimates. Less is needed with "
      "model.blocks: streaming, model.dtype: bfloat16, model.activations: host (a device), fewer "
      "windows or a shorter context of evaluate, fewer calibration.samples",
      text);
}

void throw_where_memory_is_out() {
  FLAGS_caffe2_use_fatal_for_enforce = false;
}

}  // namespace wkvq
